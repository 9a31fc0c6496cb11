"""What doors for people and programs say went wrong."""

from __future__ import annotations

import pytest

from sesmail.errors import BadLogin, Busy, Limited, MailError, Malformed, Refused, Unavailable
from sesmail.web.problems import of


@pytest.mark.parametrize(
    ("error", "code", "later"),
    [
        (Limited(), 429, True),
        (Busy(), 503, True),
        (Unavailable(), 503, True),
        (BadLogin(), 401, False),
        (Refused(), 403, False),
        (Malformed(), 400, False),
    ],
)
def test_who_may_try_again_hears_when(error: MailError, code: int, later: bool) -> None:
    answer = of(error)
    assert answer.code == code
    assert (dict(answer.headers).get("Retry-After", "").isdigit()) is later
