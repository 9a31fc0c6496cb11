"""Senders are told once, for all recipients who do not exist, and never on a guess or too late."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sesmail.aws.bounces import Bounces
from sesmail.aws.ses import Ses, SesPlace
from sesmail.delivery.bounceagent import BounceAgent
from sesmail.delivery.plan import Bounce, Reason
from sesmail.interfaces import Keys
from sesmail.mail.outcome import Outcome, Verdict
from tests.delivery.given import RECEIVED, Given, step
from tests.servers import ses

STEPS = [step(Bounce(Reason.UNKNOWN), "a@example.com", "b@example.com"), step(Bounce(Reason.INACTIVE), "c@example.com")]
DAY = 86_400.0


class Sending:
    """What `Bounces.send` is to an agent."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome = outcome or Outcome(250, "2.0.0", "Ok", id="bounce-1")
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def send(self, id: str, recipients: Sequence[str]) -> Outcome:
        self.asked.append((id, tuple(recipients)))
        return self.outcome


def test_one_request_is_for_all_recipients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    sending = Sending()
    outcomes = BounceAgent(sending.send, now=lambda: RECEIVED + DAY - 1).deliver(STEPS, Given(id="one"))
    assert outcomes == {one.name: sending.outcome for one in STEPS}
    assert sending.asked == [("one", ("a@example.com", "b@example.com", "c@example.com"))]
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(" next_id=bounce-1")[0] for line in lines] == [
        'bounced id=one sender=jack@else.example to="a@example.com,b@example.com"',
        "bounced id=one sender=jack@else.example to=c@example.com",
    ]


def test_what_is_too_old_or_was_guessed_is_refused_without_asking() -> None:
    sending = Sending()
    old = BounceAgent(sending.send, now=lambda: RECEIVED + DAY + 1).deliver(STEPS, Given())
    guessed = BounceAgent(sending.send, now=lambda: RECEIVED).deliver(STEPS, Given(guessed=True))
    assert {outcome.verdict for outcome in [*old.values(), *guessed.values()]} == {Verdict.REFUSED}
    assert sending.asked == []


def test_trouble_means_later_and_the_log_says_nothing_of_a_bounce(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    sending = Sending(Outcome(451, "4.7.1", "too fast", alarm="ours: to mend"))
    outcomes = BounceAgent(sending.send, now=lambda: RECEIVED).deliver(STEPS, Given())
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.LATER}
    assert [record.getMessage() for record in caplog.records] == ["mail waits for you to mend this: ours: to mend"]


def test_no_recipient_is_cut_off_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    many = [f"{number:020}@example.com" for number in range(50)]
    BounceAgent(Sending().send, now=lambda: RECEIVED).deliver([step(Bounce(), *many)], Given())
    said = "".join(record.getMessage() for record in caplog.records)
    assert all(address in said for address in many)


def test_ses_sends_it() -> None:
    with ses.running() as server:
        place = SesPlace("eu-west-1", server.endpoint, Keys("AKIATESTS", "of-the-tests"))
        sending = Bounces(Ses(place, service="ses").client, "postmaster@example.com")
        outcomes = BounceAgent(sending.send, now=lambda: RECEIVED).deliver(STEPS, Given(id="one"))
        assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCEPTED}
        (asked,) = server.bounces
        assert asked["OriginalMessageId"] == "one"
        assert asked["BouncedRecipientInfoList.member.3.Recipient"] == "c@example.com"
