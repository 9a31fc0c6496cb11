"""Prefixes of keys, dated and not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sesmail.mail.dated import check, folder, is_dated

MOMENT = datetime(2020, 8, 11, 7, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("", ""),
        ("user", "user/"),
        ("user/", "user/"),
        ("a/../b//c", "b/c/"),
        (".", ""),
        ("dateTimeFormat(20060102)", "20200811/"),
        ("dateTimeFormat(mail/2006/01)", "mail/2020/08/"),
        ("dateTimeFormat(archive/2006)", "archive/2020/"),
        ("dateTimeFormat((2006))", "(2020)/"),
        ("x/dateTimeFormat(2006)", "x/dateTimeFormat(2006)/"),
        ("dateTimeFormat()", "dateTimeFormat()/"),
    ],
)
def test_a_prefix_is_a_folder(prefix: str, found: str) -> None:
    assert folder(prefix, MOMENT) == found


@pytest.mark.parametrize("prefix", ["/user", "..", "../user", "a/../../b", "dateTimeFormat(../2006)", "a\nb", "x" * 601])
def test_a_prefix_that_leads_elsewhere_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check(prefix)


def test_only_the_whole_value_is_a_layout() -> None:
    assert is_dated("dateTimeFormat(2006)")
    assert not any(map(is_dated, ("2006", "x dateTimeFormat(2006)", "dateTimeFormat()", "dateTimeFormat(2006) ")))
