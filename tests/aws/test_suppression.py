"""Addresses are put on SES's own list, and trouble with that is told apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sesmail.aws.ses import Ses, SesPlace
from sesmail.aws.suppression import Suppression
from sesmail.interfaces import Keys
from sesmail.mail.outcome import Verdict
from tests.servers import ses


@pytest.fixture
def server() -> Iterator[ses.Server]:
    with ses.running() as running:
        yield running


@pytest.fixture
def suppression(server: ses.Server) -> Suppression:
    return Suppression(Ses(SesPlace("eu-west-1", server.endpoint, Keys("AKIATESTS", "of-the-tests"))).client)


def test_an_address_is_on_the_list_with_its_cause_and_may_be_put_there_again(
    server: ses.Server, suppression: Suppression
) -> None:
    for _ in range(2):
        assert suppression.put("a+b@else.example", "BOUNCE").verdict is Verdict.ACCEPTED
    assert suppression.put("c@else.example", "COMPLAINT").verdict is Verdict.ACCEPTED
    assert server.suppressed == {"a+b@else.example": "BOUNCE", "c@else.example": "COMPLAINT"}


@pytest.mark.parametrize(
    ("code", "status", "verdict", "alarm"),
    [
        ("TooManyRequestsException", 429, Verdict.LATER, False),
        ("InternalFailure", 500, Verdict.LATER, False),
        ("AccessDeniedException", 403, Verdict.LATER, True),
        ("BadRequestException", 400, Verdict.REFUSED, False),
    ],
)
def test_trouble_is_told_apart(
    server: ses.Server, suppression: Suppression, code: str, status: int, verdict: Verdict, alarm: bool
) -> None:
    server.plant(ses.Fault(code, status, operation="PutSuppressedDestination"))
    outcome = suppression.put("a@else.example", "BOUNCE")
    assert (outcome.verdict, outcome.alarm is not None) == (verdict, alarm)
    assert server.suppressed == {}


def test_what_is_no_address_is_refused(server: ses.Server, suppression: Suppression) -> None:
    assert suppression.put("nowhere", "BOUNCE").verdict is Verdict.REFUSED
    assert suppression.put("", "BOUNCE").verdict is not Verdict.ACCEPTED
