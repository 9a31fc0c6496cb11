"""An account has one name, whichever of its names people know."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesmail.assembly.accounts import account_of
from sesmail.config.load import from_text

_TEXT = """
storage: {{url: "file://{folder}/store"}}
mailboxes: {{domains: [example.com], default_domain: example.com}}
auth:
  checkers: [static, passwd]
  users:
    - {{name: jim, password: x, address: James@example.com}}
    - {{name: ann, password: x, address: ann@example.com}}
    - {{name: eve, password: x, address: ann@example.com}}
tls: {{self_signed: true}}
"""


@pytest.mark.parametrize(
    ("written", "account"),
    [
        ("jim", "jim@example.com"),
        ("Jim@Example.com", "jim@example.com"),
        ("james@example.com", "jim@example.com"),
        ("James", "jim@example.com"),
        ("ann@example.com", "ann@example.com"),
        ("tom", "tom@example.com"),
        ("tom@else.example", "tom@else.example"),
        ("", ""),
        ("\ud800", "\ud800"),
    ],
)
def test_the_account_is_found_by_each_of_its_names(tmp_path: Path, written: str, account: str) -> None:
    config = from_text(_TEXT.format(folder=tmp_path), "test", {"HOME": str(tmp_path)})
    assert account_of(config)(written) == account
