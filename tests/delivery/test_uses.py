"""Each recipient of a message is counted once, when the message has come to him, whatever is repeated."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from sesmail.delivery.journey import Sorted
from sesmail.delivery.plan import Bounce, Destination, Drop, Hold, Lmtp, Mailbox, Plan, Reason, Step
from sesmail.delivery.uses import served
from sesmail.errors import Unavailable
from sesmail.interfaces import Place, StorePlace
from sesmail.mail.envelope import Envelope
from tests.delivery.sorting import ANNE, BOB, ID, LATER, MAIL, REFUSED, SENDER, TOM, Office, directory, notice


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "store"))


def test_all_to_whom_it_came_are_counted(office: Office) -> None:
    office.arrive()
    assert office.sorter().sort(notice(TOM, ANNE)) is Sorted.DONE
    assert sorted(office.counted) == [ANNE, TOM]


def test_a_repeated_event_counts_nothing(office: Office) -> None:
    office.arrive()
    for _ in range(3):
        office.sorter().sort(notice(TOM), again=True)
    assert office.counted == [TOM]


def test_who_had_it_at_an_earlier_try_is_not_counted_again(office: Office) -> None:
    office.routes = {BOB: ["lmtp:bob"]}
    office.notes.answers["bob"] = LATER
    office.arrive()
    for _ in range(2):
        with pytest.raises(Unavailable):
            office.sorter().sort(notice(TOM, BOB), again=True)
    assert office.counted == [TOM]
    office.notes.answers.clear()
    assert office.sorter().sort(notice(TOM, BOB), again=True) is Sorted.DONE
    assert office.counted == [TOM, BOB]


def test_who_gets_it_in_two_places_is_counted_once(office: Office) -> None:
    office.routes = {BOB: ["mailbox:tom@example.com", "lmtp:bob"]}
    office.notes.answers["bob"] = LATER
    office.arrive()
    with pytest.raises(Unavailable):
        office.sorter().sort(notice(BOB))
    office.notes.answers.clear()
    office.sorter().sort(notice(BOB), again=True)
    assert office.counted == [BOB]


def test_an_original_that_cannot_be_deleted_counts_once(office: Office) -> None:
    def broken(key: str) -> None:
        raise Unavailable

    office.arrive()
    with pytest.raises(Unavailable):
        office.sorter(delete=broken).sort(notice(TOM))
    assert office.sorter().sort(notice(TOM), again=True) is Sorted.DONE
    assert office.counted == [TOM]


def test_who_it_is_held_for_is_counted_when_it_reaches_him(office: Office) -> None:
    office.routes = {BOB: ["lmtp:bob"]}
    office.notes.answers["bob"] = REFUSED
    office.arrive()
    assert office.sorter().sort(notice(TOM, BOB)) is Sorted.HELD
    assert office.counted == [TOM]
    office.notes.answers.clear()
    assert office.sorter().retry(ID) is Sorted.DONE
    assert office.counted == [TOM, BOB]


def test_local_mail_counts_who_was_not_refused(office: Office) -> None:
    office.routes = {BOB: ["lmtp:bob"], ANNE: ["bounce:"]}
    office.notes.answers["bob"] = LATER
    office.local().deliver(Envelope(SENDER, (TOM, ANNE, BOB)), io.BytesIO(MAIL))
    assert office.counted == [TOM]


def test_local_mail_that_comes_again_counts_nobody_twice(office: Office) -> None:
    office.routes = {BOB: ["mailbox:tom@example.com", "lmtp:bob"]}
    office.notes.answers["bob"] = LATER
    local = office.local()
    for _ in range(2):
        local.deliver(Envelope(SENDER, (BOB,)), io.BytesIO(MAIL))
    office.notes.answers.clear()
    local.deliver(Envelope(SENDER, (BOB,)), io.BytesIO(MAIL))
    assert office.counted == [BOB]


def test_what_is_ignored_is_a_use_and_what_is_bounced_dropped_or_held_is_none() -> None:
    ends: dict[str, Destination] = {
        "mailbox": Mailbox(Place(StorePlace("s3://box"), "tom/", False)),
        "lmtp": Lmtp("tom"),
        "ignored": Drop(Reason.IGNORED),
        "spam": Drop(Reason.SPAM),
        "denied": Drop(Reason.DENIED),
        "bounced": Bounce(Reason.INACTIVE),
    }
    steps = [Step(end, (f"{name}@example.com",)) for name, end in ends.items()]
    held = Step(Hold(Reason.UNKNOWN), ("held@example.com",))
    done = {step.name for step in steps}
    assert served(Plan((*steps, held)), done) == ("mailbox@example.com", "lmtp@example.com", "ignored@example.com")
