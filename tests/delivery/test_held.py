"""What cannot be delivered is kept, with the reason, until somebody decides; and nothing that is kept is ever lost."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from sesmail.aws.receipt import Verdict, Verdicts
from sesmail.delivery.held import Held
from sesmail.delivery.heldrecord import HeldRecord, Why, read_record
from sesmail.delivery.journey import Sorted
from sesmail.delivery.plan import Lmtp, Reason
from sesmail.delivery.verdicts import Action, VerdictRules
from sesmail.errors import Malformed, NoSuchMessage, TooLarge, Unavailable
from tests.delivery.sorting import ANNE, BOB, ID, LATER, MAIL, REFUSED, TOM, Office, box, bucket, directory, notice

NOBODY, NEW = "nobody@example.com", "new@example.com"
KEPT = [f".sesmail/held/{ID}", f"held/{ID}"]
PROGRESS = f".sesmail/progress/{ID}"


@pytest.fixture(params=["directory", "s3"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "store") if request.param == "directory" else bucket())


@pytest.fixture
def quick(tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "store"))


def record(office: Office, id: str = ID) -> HeldRecord:
    return Held(office.inbox).record(id)


def test_a_message_for_nobody_here_is_held(office: Office) -> None:
    office.arrive()
    assert office.sorter().sort(notice(NOBODY)) is Sorted.HELD
    assert office.listed() == KEPT
    assert office.read(KEPT[1]) == MAIL
    assert office.real.head(KEPT[1]).metadata == {
        "sesmail-sender": "x@example.org",
        "sesmail-recipient": NOBODY,
        "sesmail-received": "1970-01-12T13:46:40Z",
        "sesmail-reason": "unknown-recipient",
    }
    assert record(office) == HeldRecord("x@example.org", 1_000_000.0, {NOBODY: Why(Reason.UNKNOWN)})


def test_the_others_have_it_and_it_is_held_for_the_rest_alone(office: Office) -> None:
    office.arrive()
    assert office.sorter().sort(notice(TOM, NOBODY)) is Sorted.HELD
    assert office.listed() == [KEPT[0], PROGRESS, KEPT[1], box(TOM)]
    assert list(record(office).recipients) == [NOBODY]


def test_a_retry_brings_it_to_who_is_known_now(office: Office) -> None:
    office.arrive()
    sorter = office.sorter()
    sorter.sort(notice(TOM, NEW, NOBODY))
    office.people.add(NEW)
    assert office.sorter().retry(ID) is Sorted.HELD
    assert list(record(office).recipients) == [NOBODY]
    assert office.real.head(box(NEW)).metadata["sesmail-recipient"] == NEW
    assert "sesmail-reason" not in office.real.head(box(NEW)).metadata
    office.people.add(NOBODY)
    assert office.sorter().retry(ID) is Sorted.DONE
    assert office.listed() == sorted(map(box, (TOM, NEW, NOBODY)))
    with pytest.raises(NoSuchMessage):
        sorter.retry(ID)


def test_a_retry_gives_nobody_what_he_had_before(quick: Office) -> None:
    quick.arrive()
    quick.sorter().sort(notice(TOM, NEW))
    quick.remove(box(TOM))
    quick.routes[NEW] = ["mailbox:tom@example.com", "mailbox:anne@example.com"]
    assert quick.sorter().retry(ID) is Sorted.DONE
    assert quick.listed() == [box(ANNE)]


def test_what_a_destination_refuses_is_held_with_what_it_said(quick: Office) -> None:
    quick.routes = {ANNE: ["lmtp:anne"]}
    quick.notes.answers["anne"] = REFUSED
    quick.arrive()
    assert quick.sorter().sort(notice(ANNE)) is Sorted.HELD
    assert record(quick).recipients == {ANNE: Why(Reason.REFUSED, "550 5.7.1 not from you")}
    quick.notes.answers.clear()
    assert quick.sorter().retry(ID) is Sorted.DONE
    assert (quick.listed(), quick.notes.got) == ([], [("anne", MAIL)])


@pytest.mark.parametrize("error", [TooLarge("too large"), Malformed("not so")])
def test_what_an_agent_cannot_take_is_held(quick: Office, error: Exception) -> None:
    quick.routes = {ANNE: ["lmtp:anne"]}
    quick.notes.answers["anne"] = error
    quick.arrive()
    assert quick.sorter().sort(notice(ANNE)) is Sorted.HELD
    assert record(quick).reasons == (Reason.REFUSED,)


def test_a_sealed_message_goes_nowhere_but_into_mailboxes(quick: Office) -> None:
    quick.routes = {ANNE: ["lmtp:anne"]}
    quick.arrive(metadata={"x-amz-key-v2": "c2VhbGVk"})
    assert quick.sorter().sort(notice(ANNE, TOM)) is Sorted.HELD
    assert quick.notes.got == []
    assert "sealed" in record(quick).recipients[ANNE].text
    assert quick.real.head(KEPT[1]).metadata["x-amz-key-v2"] == "c2VhbGVk"
    assert box(TOM) in quick.listed()


def test_where_nothing_delivers_the_message_is_held(quick: Office) -> None:
    del quick.agents[Lmtp]
    quick.routes = {ANNE: ["lmtp:anne"]}
    quick.arrive()
    assert quick.sorter().sort(notice(ANNE)) is Sorted.HELD


def test_a_recipient_that_cannot_be_read_keeps_the_message(quick: Office) -> None:
    quick.arrive()
    odd = "f\\xfcr@example.com"
    assert quick.sorter().sort(notice(TOM, unreadable=(odd,))) is Sorted.HELD
    assert record(quick).unreadable == (odd,)
    assert record(quick).reasons == (Reason.UNREADABLE,)
    assert quick.sorter().retry(ID) is Sorted.HELD
    assert quick.sorter().sort(notice(recipients=(), unreadable=(odd,))) is Sorted.GONE
    assert box(TOM) in quick.listed()


def test_nobody_but_the_unreadable_is_held_too(quick: Office) -> None:
    quick.arrive()
    assert quick.sorter().sort(notice(recipients=(), unreadable=("what",))) is Sorted.HELD
    assert quick.listed() == KEPT


def test_two_that_are_held_under_one_name_are_held_for_all(quick: Office) -> None:
    for recipient in (NOBODY, NEW):
        quick.arrive()
        quick.sorter().sort(notice(recipient))
    assert list(record(quick).recipients) == [NOBODY, NEW]


def test_spam_that_is_held_is_let_go_only_when_that_is_asked_for(quick: Office) -> None:
    quick.rules = VerdictRules(spam=Action.HOLD)
    quick.arrive()
    assert quick.sorter().sort(notice(TOM, verdicts=Verdicts(spam=Verdict.FAIL))) is Sorted.HELD
    assert quick.sorter().retry(ID) is Sorted.HELD
    assert quick.sorter().retry(ID, anyway=True) is Sorted.DONE
    assert quick.listed() == [box(TOM)]


def test_trouble_keeps_it_held_and_gives_nobody_anything_twice(quick: Office) -> None:
    quick.arrive()
    quick.sorter().sort(notice(NEW))
    quick.routes[NEW] = ["mailbox:tom@example.com", "lmtp:anne"]
    quick.notes.answers["anne"] = LATER
    with pytest.raises(Unavailable):
        quick.sorter().retry(ID)
    assert KEPT[1] in quick.listed()
    quick.remove(box(TOM))
    quick.notes.answers.clear()
    assert quick.sorter().retry(ID) is Sorted.DONE
    assert quick.listed() == []


def test_the_list_tells_of_each(office: Office) -> None:
    other = "1" + ID[1:]
    for id in (ID, other):
        office.arrive(id)
        office.sorter().sort(notice(NOBODY, id=id))
    first, second = Held(office.inbox).entries()
    assert (first.id, second.id, first.size, first.record) == (ID, other, len(MAIL), record(office))
    assert abs(first.since - office.real.head(KEPT[1]).modified) < 2


HOSTILE = [
    b"",
    b"null",
    b'{"sesmail":2}',
    b"[" * 100_000,
    b"x" * 3_000_000,
    b'{"sesmail":1,"sender":"","received":NaN,"recipients":[],"unreadable":[],"verdicts":{},"guessed":false}',
    b'{"sesmail":1,"sender":"a@b\\r\\nx","received":1,"recipients":[],"unreadable":[],"verdicts":{},"guessed":false}',
    b'{"sesmail":1,"sender":"","received":1,"recipients":[{"address":"../x","reason":"spam","text":""}],"unreadable":[],'
    b'"verdicts":{},"guessed":false}',
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_record_that_cannot_be_read_is_told_and_loses_nothing(quick: Office, hostile: bytes) -> None:
    quick.arrive()
    quick.real.put(KEPT[0], hostile)
    quick.real.put(KEPT[1], MAIL)
    (entry,) = Held(quick.inbox).entries()
    assert entry.record is None
    assert "cannot be read" in entry.trouble
    for attempt in (lambda: quick.sorter().retry(ID), lambda: quick.sorter().sort(notice(NOBODY))):
        with pytest.raises(Unavailable, match="mended or removed"):
            attempt()
    assert quick.read(KEPT[0]) == hostile
    assert [*KEPT, f"new/{ID}"] == quick.listed()


def test_a_message_without_a_record_is_retried_by_what_it_says_itself(quick: Office) -> None:
    quick.real.put(KEPT[1], MAIL)
    (entry,) = Held(quick.inbox).entries()
    assert entry.trouble == "nothing is written about it"
    assert quick.sorter().retry(ID) is Sorted.HELD
    assert record(quick).reasons == (Reason.NOBODY,)


def test_what_is_dropped_is_gone_with_all_that_was_written_about_it(quick: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sesmail.fate")
    quick.arrive()
    quick.sorter().sort(notice(TOM, NOBODY))
    Held(quick.inbox).drop(ID)
    assert quick.listed() == [box(TOM)]
    assert caplog.messages[-1] == f"dropped id={ID} sender=x@example.org to=nobody@example.com by=administrator"
    with pytest.raises(NoSuchMessage):
        Held(quick.inbox).drop(ID)


@pytest.mark.parametrize("id", ["", "../x", "a/b", "a\0", "+x", ".x", "x" * 71])
def test_what_is_no_id_leads_nowhere(quick: Office, id: str) -> None:
    held = Held(quick.inbox)
    for call in (lambda: held.entry(id), lambda: held.drop(id), lambda: held.head(id, 1), lambda: quick.sorter().retry(id)):
        with pytest.raises(Malformed):
            call()


def test_a_record_reads_as_it_was_written() -> None:
    verdicts = Verdicts(Verdict.FAIL, Verdict.PASS, dmarc=Verdict.FAIL)
    people = {TOM: Why(Reason.SPAM), '"a b"@example.com': Why(Reason.REFUSED, '550 5.0.0 "no"')}
    whole = HeldRecord("", 1.5, people, ("x\\x00",), verdicts, guessed=True)
    assert read_record(whole.octets()) == whole


def test_a_thousand_recipients_can_be_read_again() -> None:
    people = {f"{'a' * 60}{number}@{'b' * 60}.{'c' * 60}.example.com": Why(Reason.REFUSED, "x" * 400) for number in range(2000)}
    again = read_record(HeldRecord("", 1.0, people).octets())
    assert again.recipients.keys() == people.keys()


def test_who_is_certain_goes_before_who_was_guessed() -> None:
    certain = HeldRecord("", 1.0, {TOM: Why(Reason.UNKNOWN)})
    perhaps = HeldRecord("", 1.0, {BOB: Why(Reason.UNKNOWN)}, guessed=True)
    assert certain.with_those_of(perhaps) == perhaps.with_those_of(certain) == certain


def test_the_record_is_a_promise_to_other_programs(quick: Office) -> None:
    quick.arrive()
    quick.sorter().sort(notice(NOBODY))
    assert json.loads(quick.read(KEPT[0])) == {
        "sesmail": 1,
        "sender": "x@example.org",
        "received": 1_000_000.0,
        "recipients": [{"address": NOBODY, "reason": "unknown-recipient", "text": ""}],
        "unreadable": [],
        "verdicts": dict.fromkeys(("spam", "virus", "spf", "dkim", "dmarc"), "UNKNOWN"),
        "guessed": False,
    }
