"""What SES is answered when it asks, before it stores mail, whether anybody takes it."""

from __future__ import annotations

import threading

import pytest

from sesmail.aws.question import MARK, Answer, Question, question
from sesmail.delivery.answering import Answering
from sesmail.delivery.plan import Bounce, Destination, Drop, Hold, Lmtp, Plan, Reason, Step
from sesmail.errors import Malformed, Unavailable
from tests.aws.sesevents import MESSAGE_ID, lambda_event

_ENDS: dict[str, Destination] = {
    "live": Lmtp("tom"),
    "quiet": Drop(Reason.IGNORED),
    "off": Hold(Reason.INACTIVE),
    "gone": Bounce(Reason.UNKNOWN),
    "nobody": Hold(Reason.UNKNOWN),
    "denied": Drop(Reason.DENIED),
    "misspelt": Hold(Reason.BAD_TARGET),
}


def plan(recipient: str) -> Plan:
    name = recipient.partition("@")[0]
    if name == "broken":
        raise Unavailable(cause="the table is away")
    if name == "bug":
        raise KeyError(name)
    return Plan((Step(_ENDS[name], (recipient,)),))


def asked(*names: str, mark: str | None = None, unreadable: tuple[str, ...] = ()) -> Question:
    people = tuple(f"{name}@example.com" for name in names)
    return Question(MESSAGE_ID, people, unreadable, () if mark is None else (mark,))


def answer(*names: str, mark: str | None = None, **settings: object) -> Answer:
    return Answering(plan, **settings).answer(asked(*names, mark=mark), 25.0)  # type: ignore[arg-type]


STOP, CONTINUE = Answer.STOP, Answer.CONTINUE


@pytest.mark.parametrize(
    ("names", "first", "second"),
    [
        (["live"], STOP, STOP),
        (["nobody", "live"], STOP, STOP),
        (["nobody"], CONTINUE, STOP),
        (["off", "gone", "denied", "nobody"], CONTINUE, STOP),
        (["quiet"], STOP, CONTINUE),
        (["quiet", "nobody"], STOP, STOP),
        (["quiet", "live"], STOP, STOP),
        (["misspelt"], STOP, STOP),
        ([], STOP, STOP),
        (["broken", "live"], STOP, STOP),
        (["broken", "quiet"], STOP, STOP),
    ],
)
def test_mail_is_bounced_if_nobody_takes_it_and_dropped_if_everybody_ignores_it(
    names: list[str], first: Answer, second: Answer
) -> None:
    assert (answer(*names), answer(*names, mark="yes")) == (first, second)


@pytest.mark.parametrize("trouble", ["broken", "bug"])
def test_what_cannot_be_found_out_is_stored_or_bounced_but_never_dropped(
    trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert answer("nobody", trouble) is STOP
    assert answer("nobody", trouble, closed=True) is CONTINUE
    assert answer("quiet", trouble, closed=True, mark="yes") is STOP
    assert "cannot be found out" in caplog.text


def test_what_hangs_is_answered_for_in_time() -> None:
    hangs = threading.Event()

    def hanging(recipient: str) -> Plan:
        hangs.wait(60)
        return plan(recipient)

    try:
        assert Answering(hanging).answer(asked("nobody"), 0.05) is STOP
        assert Answering(hanging, closed=True).answer(asked("nobody"), 0.05) is CONTINUE
        assert Answering(hanging, closed=True).answer(asked("quiet", mark="yes"), 0.05) is STOP
    finally:
        hangs.set()


def test_what_is_no_address_is_for_the_sorter_to_keep() -> None:
    assert Answering(plan, closed=True).answer(asked("nobody", unreadable=("x@[192.0.2.1]",)), 25.0) is STOP


def test_a_sender_cannot_pretend_to_have_passed_the_first_rule() -> None:
    answering = Answering(plan, mark="secret")
    assert answering.answer(asked("nobody", mark="yes"), 25.0) is CONTINUE
    assert answering.answer(asked("nobody", mark="secret"), 25.0) is STOP
    assert answering.answer(asked("quiet", mark="secret"), 25.0) is CONTINUE


def test_uses_are_counted_the_second_time_alone() -> None:
    counted: list[str] = []
    answering = Answering(plan, count=counted.extend)
    for mark in (None, "yes"):
        answering.answer(asked("live", "quiet", mark=mark), 25.0)
    assert counted == ["live@example.com", "quiet@example.com"]


def test_every_bounce_and_every_drop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    answer("nobody")
    answer("quiet", mark="yes")
    assert caplog.messages == [
        f"bounced id={MESSAGE_ID} to=nobody@example.com by=rule",
        f"dropped id={MESSAGE_ID} to=quiet@example.com reason=ignored by=rule",
    ]


def test_the_recipients_are_those_of_the_envelope_never_of_the_header() -> None:
    event = lambda_event("Hidden@Example.com", "x@[192.0.2.1]")
    event["Records"][0]["ses"]["mail"]["destination"] = ["live@example.com"]
    found = question(event)
    assert (found.recipients, found.unreadable, found.marks) == (("Hidden@example.com",), ("x@[192.0.2.1]",), ())


def test_the_mark_is_found_in_any_case() -> None:
    event = lambda_event("tom@example.com")
    headers = event["Records"][0]["ses"]["mail"]["headers"]
    headers += [{"name": MARK.upper(), "value": " yes "}, {"name": None, "value": 1}, {"name": MARK, "value": None}]
    assert question(event).marks == ("yes", "")
    del event["Records"][0]["ses"]["mail"]["headers"]
    assert question(event).marks == ()


@pytest.mark.parametrize(
    "event", [{}, {"Records": []}, lambda_event("tom@example.com", records=2), {"Records": [{"s3": {}}]}, None, [], "x"]
)
def test_an_event_that_asks_nothing_is_refused(event: object) -> None:
    with pytest.raises(Malformed):
        question(event)
