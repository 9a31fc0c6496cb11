"""All that an event tells is done, in whatever order it fails, before its door may forget it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from sesmail.aws.feedback import Feedback
from sesmail.aws.receipt import Incoming, Notice
from sesmail.delivery.intake import Intake
from sesmail.errors import Busy, Malformed, NoSuchMailbox, Unavailable

IDS = ["a" * 30, "b" * 30, "c" * 30]


def event(ids: Sequence[str]) -> dict[str, object]:
    return {"Records": [record(id) for id in ids]}


def record(id: str) -> dict[str, object]:
    return {
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-11-21T09:30:00.000Z",
        "s3": {"bucket": {"name": "inbox"}, "object": {"key": f"new/{id}"}},
    }


class Desk:
    def __init__(self) -> None:
        self.sorted: list[tuple[str, bool]] = []
        self.told: list[Feedback] = []
        self.fails: dict[str, Exception] = {}
        self.intake = Intake(Incoming("inbox", "new/"), self.sort, self.told.append)

    def sort(self, notice: Notice, *, again: bool) -> None:
        self.sorted.append((notice.message_id, again))
        if notice.message_id in self.fails:
            raise self.fails[notice.message_id]


@pytest.mark.parametrize("again", [False, True])
def test_every_record_is_sorted(again: bool) -> None:
    desk = Desk()
    desk.intake.take(json.dumps(event(IDS)), again=again)
    desk.intake.take_document(event(IDS[:1]), again=again)
    assert desk.sorted == [(id, again) for id in (*IDS, IDS[0])]


def test_one_that_fails_keeps_none_of_the_others_back() -> None:
    desk = Desk()
    desk.fails = {IDS[0]: Malformed("not so"), IDS[1]: Busy()}
    with pytest.raises(Busy):
        desk.intake.take(json.dumps(event(IDS)))
    assert [id for id, _ in desk.sorted] == IDS


@pytest.mark.parametrize(
    ("error", "raised"), [(Malformed("x"), Malformed), (NoSuchMailbox(), NoSuchMailbox), (KeyError("bug"), Unavailable)]
)
def test_what_kept_it_from_being_done_is_raised(error: Exception, raised: type[Exception]) -> None:
    desk = Desk()
    desk.fails = {IDS[2]: error}
    with pytest.raises(raised):
        desk.intake.take_document(event(IDS))
    assert len(desk.sorted) == 3


def test_an_event_that_cannot_be_read_does_nothing() -> None:
    desk = Desk()
    with pytest.raises(Malformed):
        desk.intake.take(b"not JSON")
    with pytest.raises(Malformed):
        desk.intake.take_document({"Records": [record(IDS[0]), {"else": 1}]})
    assert desk.sorted == []


def test_what_became_of_mail_that_was_sent_is_told() -> None:
    desk = Desk()
    mail = {
        "messageId": "m" * 30,
        "source": "tom@example.com",
        "destination": ["x@example.org"],
        "timestamp": "2026-11-21T09:30:00.000Z",
    }
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "timestamp": "2026-11-21T09:31:00.000Z",
        "feedbackId": "f",
        "bouncedRecipients": [{"emailAddress": "x@example.org"}],
    }
    desk.intake.take(json.dumps({"notificationType": "Bounce", "mail": mail, "bounce": bounce}))
    assert len(desk.told) == 1
    assert desk.sorted == []
