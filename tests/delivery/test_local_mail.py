"""Mail of our own doors is with everybody it is for, and each recipient hears what became of his."""

from __future__ import annotations

import io
import random
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import pytest

from sesmail.delivery.held import Held
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.journey import Sorted
from sesmail.delivery.local import refusal
from sesmail.delivery.plan import Bounce, Drop, Forward, Hold, Lmtp, Reason
from sesmail.errors import Unavailable
from sesmail.interfaces import NO_STORE, Place, StorePlace
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.mail.uidl import is_plain
from tests.delivery.sorting import ANNE, BOB, LATER, MAIL, REFUSED, TOM, Office, bucket, directory

_SENDER = "x@example.org"
_NOBODY = "nobody@example.com"


@pytest.fixture(params=["directory", "s3"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "store") if request.param == "directory" else bucket())


@pytest.fixture
def quick(tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "store"))


def send(office: Office, *recipients: str, data: bytes = MAIL, sender: str = _SENDER) -> Mapping[str, Outcome]:
    return office.local().deliver(Envelope(sender, recipients), io.BytesIO(data))


def replies(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {address: outcome.reply[:9] for address, outcome in outcomes.items()}


def mail(office: Office, address: str) -> list[bytes]:
    local, _, domain = address.partition("@")
    return [office.read(key) for key in office.listed(f"mail/{domain}/{local}/")]


def test_it_lies_in_the_mailbox_behind_the_fields_of_delivery(office: Office) -> None:
    assert replies(send(office, TOM)) == {TOM: "250 2.1.5"}
    assert mail(office, TOM) == [b"Return-Path: <x@example.org>\r\nX-Original-To: tom@example.com\r\n" + MAIL]
    (key,) = office.listed()
    assert office.real.head(key).metadata == {
        "sesmail-sender": "x@example.org",
        "sesmail-recipient": TOM,
        "sesmail-received": "1970-01-12T13:46:40Z",
    }


def test_its_name_may_be_its_unique_id(quick: Office) -> None:
    id = send(quick, TOM)[TOM].id
    (key,) = quick.listed()
    assert id is not None
    assert key.rpartition("/")[2] == id
    assert is_plain(id.encode())


def test_another_attempt_makes_no_second_copy(office: Office) -> None:
    for _ in range(2):
        assert replies(send(office, TOM, ANNE)) == {TOM: "250 2.1.5", ANNE: "250 2.1.5"}
    assert (len(mail(office, TOM)), len(mail(office, ANNE))) == (1, 1)


def test_it_is_read_from_where_it_stands(quick: Office) -> None:
    file = io.BytesIO(b"not of it\n" + MAIL)
    file.readline()
    quick.local().deliver(Envelope("", (TOM,)), file)
    assert mail(quick, TOM) == [b"Return-Path: <>\r\nX-Original-To: tom@example.com\r\n" + MAIL]


def test_a_mailbox_with_several_of_the_addresses_gets_one_copy_that_names_them(quick: Office) -> None:
    send(quick, TOM, "tom+tag@example.com", "TOM@example.com", ANNE)
    (copy,) = mail(quick, TOM)
    assert copy.count(b"X-Original-To: ") == 3
    assert len(mail(quick, ANNE)) == 1


def test_nobody_is_refused_and_keeps_no_mail_from_others(office: Office) -> None:
    assert replies(send(office, _NOBODY, TOM)) == {_NOBODY: "550 5.1.1", TOM: "250 2.1.5"}
    assert not office.listed("held/")


def test_an_account_without_a_mailbox_takes_no_mail(quick: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick.places, "place", lambda local, domain: Place(StorePlace(NO_STORE), ""))
    assert replies(send(quick, TOM)) == {TOM: "550 5.2.1"}


def test_what_a_rule_holds_is_durable_and_can_be_let_go(office: Office) -> None:
    office.routes["kept@example.com"] = ["hold:"]
    outcomes = send(office, "kept@example.com", TOM)
    assert replies(outcomes) == {"kept@example.com": "250 2.1.5", TOM: "250 2.1.5"}
    (entry,) = Held(office.inbox).entries()
    whole = b"Return-Path: <x@example.org>\r\nX-Original-To: kept@example.com\r\n" + MAIL
    assert entry.record is not None
    assert (entry.record.reasons, office.read(f"held/{entry.id}")) == ((Reason.RULE,), whole)
    office.routes["kept@example.com"] = ["mailbox:anne@example.com"]
    assert office.sorter().retry(entry.id) is Sorted.DONE
    assert mail(office, ANNE) == [whole]


def test_what_cannot_be_held_is_not_accepted(quick: Office) -> None:
    quick.routes["kept@example.com"] = ["hold:"]
    for number in range(3):
        quick.store.set(number)
        assert replies(send(quick, "kept@example.com")) == {"kept@example.com": "451 4.3.0"}
    quick.store.set(None)
    assert replies(send(quick, "kept@example.com")) == {"kept@example.com": "250 2.1.5"}


def test_what_a_rule_drops_is_accepted(quick: Office) -> None:
    quick.routes["drop@example.com"] = ["drop:"]
    assert replies(send(quick, "drop@example.com")) == {"drop@example.com": "250 2.1.5"}
    assert quick.listed() == []


@pytest.mark.parametrize("sender", [_SENDER, ""])
def test_what_a_rule_bounces_is_refused_here(quick: Office, sender: str) -> None:
    quick.routes["gone@example.com"] = ["bounce:"]
    assert replies(send(quick, "gone@example.com", sender=sender)) == {"gone@example.com": "550 5.1.1"}
    assert quick.listed() == []


@pytest.mark.parametrize(
    ("destination", "reply"),
    [
        (Hold(Reason.UNKNOWN), "550 5.1.1"),
        (Bounce(Reason.UNKNOWN), "550 5.1.1"),
        (Drop(Reason.UNKNOWN), "550 5.1.1"),
        (Bounce(Reason.INACTIVE), "550 5.2.1"),
        (Drop(Reason.DENIED), "550 5.7.1"),
        (Hold(Reason.NOT_AUTHENTICATED), "550 5.1.1"),
        (Bounce(), "550 5.1.1"),
        (Hold(), None),
        (Hold(Reason.BAD_TARGET), None),
        (Drop(), None),
        (Drop(Reason.IGNORED), None),
        (Lmtp("tom"), None),
        (Forward("a@example.net"), None),
    ],
)
def test_what_is_said_of_a_recipient_at_once(destination: Bounce | Drop | Hold | Lmtp | Forward, reply: str | None) -> None:
    said = refusal(destination)
    assert (said and said.reply[:9]) == reply


def test_the_worst_of_several_places_counts(quick: Office) -> None:
    quick.routes["list@example.com"] = ["mailbox:tom@example.com", "lmtp:a", "lmtp:b"]
    quick.notes.answers = {"a": REFUSED}
    assert replies(send(quick, "list@example.com", BOB)) == {"list@example.com": "550 5.7.1", BOB: "250 2.1.5"}
    quick.notes.answers = {"a": REFUSED, "b": LATER}
    assert replies(send(quick, "list@example.com", data=b"another" + MAIL)) == {"list@example.com": "451 4.3.0"}


def test_who_got_it_is_spared_when_it_is_tried_again(quick: Office) -> None:
    quick.routes["list@example.com"] = ["mailbox:tom@example.com", "lmtp:a", "lmtp:b"]
    quick.notes.answers = {"b": LATER}
    send(quick, "list@example.com")
    for key in quick.listed("mail/"):
        quick.remove(key)
    quick.notes.answers = {}
    assert replies(send(quick, "list@example.com")) == {"list@example.com": "250 2.1.5"}
    assert [user for user, _ in quick.notes.got] == ["a", "b"]
    assert quick.listed() == []


def test_who_cannot_be_looked_up_is_tried_again_and_others_have_it(quick: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    place = quick.places.place

    def asked(local: str, domain: str) -> Place:
        if local == "anne":
            raise Unavailable(cause="no answer")
        return place(local, domain)

    monkeypatch.setattr(quick.places, "place", asked)
    assert replies(send(quick, ANNE, TOM)) == {ANNE: "451 4.3.0", TOM: "250 2.1.5"}
    assert len(mail(quick, TOM)) == 1


def test_a_bug_is_trouble_for_those_it_concerns(quick: Office, caplog: pytest.LogCaptureFixture) -> None:
    quick.routes["list@example.com"] = ["lmtp:a"]
    quick.notes.answers = {"a": KeyError("a bug")}
    assert replies(send(quick, "list@example.com", TOM)) == {"list@example.com": "451 4.3.0", TOM: "250 2.1.5"}
    assert "a bug" in caplog.text


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("number", range(2))
def test_a_store_in_trouble_is_tried_again(quick: Office, number: int, late: bool) -> None:
    quick.store.set(number, late=late)
    first = send(quick, TOM, ANNE)
    assert sorted(replies(first).values()) == ["250 2.1.5", "451 4.3.0"]
    quick.store.set(None)
    second = send(quick, *(address for address, outcome in first.items() if outcome.code != 250))
    assert set(replies(second).values()) == {"250 2.1.5"}
    assert (len(mail(quick, TOM)), len(mail(quick, ANNE))) == (1, 1)


def test_a_large_message_is_not_in_memory(quick: Office, tmp_path: Path) -> None:
    path = tmp_path / "large"
    block = random.Random(1).randbytes(1 << 20)
    with path.open("wb") as file:
        for _ in range(40):
            file.write(block)
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            assert replies(quick.local().deliver(Envelope("", (TOM,)), file)) == {TOM: "250 2.1.5"}
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    (key,) = quick.listed()
    assert quick.real.head(key).size == (40 << 20) + len(b"Return-Path: <>\r\nX-Original-To: tom@example.com\r\n")


def test_no_mail_of_ours_lands_where_mail_comes_in(quick: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix in ("new/", "held/", "swept/", ".sesmail/held/", ".sesmail/progress/"):
        monkeypatch.setattr(quick.places, "place", lambda local, domain, prefix=prefix: Place(StorePlace("s3://inbox"), prefix))
        assert replies(send(quick, TOM)) == {TOM: "451 4.3.0"}
    assert quick.listed() == []
    assert Inbox(quick.store, "inbox", "").is_ours("directly")


def test_what_another_server_calls_two_is_two_however_alike(office: Office) -> None:
    for queue_id in ("one", "two", "one"):
        envelope = Envelope(_SENDER, (TOM,), queue_id=queue_id)
        assert office.local().deliver(envelope, io.BytesIO(MAIL))[TOM].code == 250
    assert len(office.listed("mail/")) == 2
