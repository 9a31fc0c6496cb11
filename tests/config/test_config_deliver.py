"""Section deliver: what its mailboxes may be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config

QUEUE = "queue: {url: 'https://sqs.eu-west-1.amazonaws.com/123456789012/mail'}\n"


def loaded(mailboxes: str, more: str = "", url: str = "s3://example-mail") -> Config:
    text = f"storage: {{url: '{url}'}}\ntls: {{self_signed: true}}\n{more}deliver: {{mailboxes: {mailboxes}}}\n"
    return from_text(text, "test", {"HOME": "/home/x"})


def test_addresses_are_read_in_any_case_and_the_catch_all_is_one() -> None:
    config = loaded("[{address: Tom@Example.COM}, {address: catchall, prefix: 'dateTimeFormat(2006/01/02)'}]")
    assert [one.address for one in config.deliver.mailboxes] == ["tom@example.com", "CatchAll"]
    assert config.warnings == ()


@pytest.mark.parametrize("prefix", ["/user", "../user", ".sesmail", "a/+Junk", "dateTimeFormat(/2006)"])
def test_a_prefix_that_could_not_be_found_again_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(f"[{{address: tom@example.com, prefix: '{prefix}'}}]")
    assert [problem.key for problem in caught.value.problems] == ["deliver.mailboxes[0].prefix"]


@pytest.mark.parametrize(
    ("mailboxes", "more", "url", "key"),
    [
        ("[{address: tom@example.com, prefix: new/tom}]", QUEUE, "s3://example-mail", "deliver.mailboxes[0].prefix"),
        ("[{address: tom@example.com}]", "auth: {checkers: [static]}\n", "none", "deliver.mailboxes[0]"),
        ("[], catch_all: unknown", "", "s3://example-mail", "deliver.catch_all"),
    ],
)
def test_what_cannot_work_is_refused(mailboxes: str, more: str, url: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(mailboxes, more, url)
    assert key in [problem.key for problem in caught.value.problems]


def test_where_no_mail_comes_in_its_prefix_is_free() -> None:
    assert loaded("[{address: tom@example.com, prefix: new}]").deliver.mailboxes[0].prefix == "new"


def test_an_address_that_is_there_twice_is_warned_of() -> None:
    config = loaded("[{address: tom@example.com}, {address: TOM@example.com, prefix: x}, {address: stom@example.com}]")
    (warning,) = config.warnings
    assert warning == "deliver.mailboxes[1].address: tom@example.com is there already, and the first one counts"


def test_the_configuration_that_the_page_shows_is_good() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deliver.rst").read_text()
    blocks = [re.sub("^    ", "", block, flags=re.MULTILINE) for block in re.findall(r"(?<=::\n\n)(?:(?:    .*)?\n)+", page)]
    shown = [block for block in blocks if block.startswith(("storage:", "mailboxes:", "lmtp:"))]
    assert len(shown) == 3
    config = from_text("".join(shown) + "tls: {self_signed: true}\n", "page", {"HOME": "/home/x"})
    assert [one.address for one in config.deliver.mailboxes] == [one.for_ for one in config.mailboxes.places]
    assert any("argv=/usr/bin/sesmail-deliver -a=${recipient} -f=${sender}" in block for block in blocks)
