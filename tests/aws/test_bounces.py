"""Bounces are sent by SES, and every error of it means for the message what it should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sesmail.aws.bounces import Bounces
from sesmail.aws.ses import Ses, SesPlace
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys
from sesmail.mail.outcome import Verdict
from tests.servers import ses

_ID = "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1"


@pytest.fixture(scope="module")
def running() -> Iterator[ses.Server]:
    with ses.running() as server:
        yield server


@pytest.fixture
def server(running: ses.Server) -> ses.Server:
    running.clear()
    running.verify_only("example.com")
    return running


@pytest.fixture(scope="module")
def bounces(running: ses.Server) -> Bounces:
    place = SesPlace("eu-west-1", running.endpoint, Keys("AKIATESTS", "of-the-tests"))
    return Bounces(Ses(place, service="ses", read_timeout=1).client, "postmaster@example.com")


def test_all_recipients_are_in_one_request_from_our_address(server: ses.Server, bounces: Bounces) -> None:
    outcome = bounces.send(_ID, ["a@example.com", '"odd one"@example.com'])
    assert outcome.verdict is Verdict.ACCEPTED
    assert (outcome.id or "").startswith("bounce-")
    (asked,) = server.bounces
    assert {name: value for name, value in asked.items() if name not in ("Action", "Version")} == {
        "OriginalMessageId": _ID,
        "BounceSender": "postmaster@example.com",
        "BouncedRecipientInfoList.member.1.Recipient": "a@example.com",
        "BouncedRecipientInfoList.member.1.BounceType": "DoesNotExist",
        "BouncedRecipientInfoList.member.2.Recipient": '"odd one"@example.com',
        "BouncedRecipientInfoList.member.2.BounceType": "DoesNotExist",
    }


def test_a_text_of_our_own_names_the_mailbox(server: ses.Server) -> None:
    place = SesPlace("eu-west-1", server.endpoint, Keys("AKIATESTS", "of-the-tests"))
    bounces = Bounces(Ses(place, service="ses").client, "postmaster@example.com", "Nobody reads {mailbox}. {0} {")
    bounces.send(_ID, ["a@example.com", "{mailbox}@example.com"])
    (asked,) = server.bounces
    assert asked["Explanation"] == "Nobody reads a@example.com, {mailbox}@example.com. {0} {"


@pytest.mark.parametrize(
    ("code", "status", "text", "reply", "alarm"),
    [
        ("Throttling", 400, "Rate exceeded", "451 4.7.1", False),
        ("MessageRejected", 400, "Message not found or older than 24 hours", "554 5.6.0", False),
        ("MessageRejected", 400, "Email address is not verified. x", "451 4.3.5", True),
        ("AccessDenied", 403, "not authorized to perform ses:SendBounce", "451 4.3.0", True),
        ("InvalidClientTokenId", 403, "invalid", "451 4.3.0", True),
        ("InternalFailure", 500, "", "451 4.3.0", False),
        ("ServiceUnavailable", 503, "", "451 4.3.0", False),
        ("SomethingOfTomorrow", 400, "what is this", "451 4.3.0", True),
    ],
)
def test_each_error_has_its_outcome_and_is_not_asked_twice(
    server: ses.Server, bounces: Bounces, code: str, status: int, text: str, reply: str, alarm: bool
) -> None:
    server.plant(ses.Fault(code, status, text, operation="SendBounce"))
    outcome = bounces.send(_ID, ["a@example.com"])
    assert outcome.reply.startswith(f"{reply} ")
    assert (outcome.alarm is not None) is alarm
    assert len(server.requests("SendBounce")) == 1
    assert server.bounces == []


@pytest.mark.parametrize("reset", ["unread", "read", "recorded"])
def test_a_request_that_breaks_off_is_not_repeated_by_the_client(server: ses.Server, bounces: Bounces, reset: Any) -> None:
    server.plant(ses.Fault(reset=reset, operation="SendBounce"))
    assert bounces.send(_ID, ["a@example.com"]).verdict is Verdict.LATER
    assert len(server.bounces) == (reset == "recorded")


def test_a_silent_ses_is_given_up_in_time(server: ses.Server, bounces: Bounces) -> None:
    server.plant(ses.Fault(delay=3, operation="SendBounce"))
    assert bounces.send(_ID, ["a@example.com"]).reply.startswith("451 4.4.1")


def test_an_address_of_ours_that_is_not_verified_is_ours_to_mend(server: ses.Server, bounces: Bounces) -> None:
    server.verify_only("example.net")
    outcome = bounces.send(_ID, ["a@example.com"])
    assert (outcome.verdict, (outcome.alarm or "").partition(":")[0]) == (Verdict.LATER, "bounce_from")


def test_without_credentials_it_waits() -> None:
    def client() -> Any:
        raise Unavailable(cause="no profile of that name")

    outcome = Bounces(client, "postmaster@example.com").send(_ID, ["a@example.com"])
    assert outcome.verdict is Verdict.LATER
    assert outcome.alarm
