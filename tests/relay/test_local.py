"""Mail for people who live here is in their mailboxes, once, and what is not for here goes elsewhere."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from sesmail.errors import NoSuchMailbox, Unavailable
from sesmail.interfaces import DEMO, NO_STORE, Place, StorePlace
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.mail.uidl import is_plain
from sesmail.relay.local import ByDomain, Local
from sesmail.relay.outbox import OutboxCourier
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Store
from tests.servers import seaweed

_MAIL = b"Received: by here id 1\r\nFrom: jack@example.com\r\n\r\n.\r\n\xe4\0 no end"
_JACK, _ANNE, _LIST, _NOBODY = "jack@example.com", "anne@example.com", "all@example.com", "nobody@example.com"


class Town:
    """Who lives where: one store, or several by url."""

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self._stores = stores
        self.places = {
            _JACK: [self.place("jack")],
            "jack+tag@example.com": [self.place("jack")],
            _ANNE: [self.place("anne")],
            _LIST: [self.place("jack"), self.place("anne")],
        }

    def place(self, name: str, url: str = "file:///store") -> Place:
        return Place(StorePlace(url), f"{name}/")

    def places_of(self, address: str) -> Collection[Place]:
        return self.places.get(address, ())

    def store_of(self, place: StorePlace) -> Store:
        if place.url not in self._stores:
            raise Unavailable(cause="that store is away")
        return self._stores[place.url]

    def local(self) -> Local:
        return Local(self.places_of, self.store_of)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    (tmp_path / "store").mkdir()
    return Town({"file:///store": DirectoryStore(tmp_path / "store")})


def send(local: Local, *recipients: str, data: bytes = _MAIL, sender: str = _JACK) -> Mapping[str, Outcome]:
    return local.send(Envelope(sender, recipients), io.BytesIO(data))


def mail(tmp_path: Path, who: str) -> list[bytes]:
    folder = tmp_path / "store" / who
    return [file.read_bytes() for file in sorted(folder.iterdir())] if folder.exists() else []


def replies(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {address: outcome.reply[:9] for address, outcome in outcomes.items()}


def test_a_message_lies_in_the_mailbox_behind_the_fields_of_delivery(tmp_path: Path, town: Town) -> None:
    assert replies(send(town.local(), _ANNE)) == {_ANNE: "250 2.1.5"}
    fields = b"Return-Path: <jack@example.com>\r\nX-Original-To: anne@example.com\r\n"
    assert mail(tmp_path, "anne") == [fields + _MAIL]


def test_its_name_may_be_its_unique_id(tmp_path: Path, town: Town) -> None:
    id = send(town.local(), _ANNE)[_ANNE].id
    (file,) = (tmp_path / "store/anne").iterdir()
    assert file.name == f"{id}.eml"
    assert is_plain(file.name.encode())


def test_the_null_sender_has_a_return_path_too(tmp_path: Path, town: Town) -> None:
    send(town.local(), _ANNE, sender="")
    assert mail(tmp_path, "anne")[0].startswith(b"Return-Path: <>\r\n")


def test_another_attempt_makes_no_second_copy(tmp_path: Path, town: Town) -> None:
    local = town.local()
    for _ in range(2):
        assert replies(send(local, _JACK, _ANNE)) == {_JACK: "250 2.1.5", _ANNE: "250 2.1.5"}
    assert replies(send(local, _ANNE)) == {_ANNE: "250 2.1.5"}
    assert (len(mail(tmp_path, "jack")), len(mail(tmp_path, "anne"))) == (1, 1)


def test_another_message_is_another_copy(tmp_path: Path, town: Town) -> None:
    send(town.local(), _ANNE)
    send(town.local(), _ANNE, data=_MAIL + b".")
    assert len(mail(tmp_path, "anne")) == 2


def test_a_mailbox_with_several_of_the_addresses_gets_one_copy_that_names_them(tmp_path: Path, town: Town) -> None:
    outcomes = send(town.local(), _JACK, "jack+tag@example.com", _LIST)
    assert set(replies(outcomes).values()) == {"250 2.1.5"}
    (copy,) = mail(tmp_path, "jack")
    assert copy.count(b"X-Original-To: ") == 3
    assert len(mail(tmp_path, "anne")) == 1


def test_nobody_is_refused_and_keeps_no_mail_from_others(tmp_path: Path, town: Town) -> None:
    assert replies(send(town.local(), _NOBODY, _ANNE)) == {_NOBODY: "550 5.1.1", _ANNE: "250 2.1.5"}
    assert len(mail(tmp_path, "anne")) == 1


@pytest.mark.parametrize(
    ("error", "reply"),
    [(NoSuchMailbox(), "550 5.1.1"), (Unavailable(cause="no idea"), "451 4.3.0"), (KeyError("a bug"), "451 4.3.0")],
)
def test_who_cannot_be_looked_up_is_not_refused(town: Town, error: Exception, reply: str) -> None:
    def places_of(address: str) -> Collection[Place]:
        raise error

    assert replies(send(Local(places_of, town.store_of), _ANNE)) == {_ANNE: reply}


def test_an_account_without_a_mailbox_takes_no_mail(town: Town) -> None:
    town.places[_ANNE] = [Place(StorePlace(NO_STORE), "")]
    town.places[_JACK] = [DEMO]
    assert replies(send(town.local(), _ANNE, _JACK)) == {_ANNE: "550 5.2.1", _JACK: "550 5.2.1"}


def test_a_store_that_is_away_is_tried_again_and_what_arrived_is_not_doubled(tmp_path: Path, town: Town) -> None:
    town.places[_LIST] = [town.place("jack"), town.place("anne", "file:///away")]
    outcomes = send(town.local(), _LIST, _JACK)
    assert replies(outcomes) == {_LIST: "451 4.3.0", _JACK: "250 2.1.5"}
    town.places[_LIST] = [town.place("jack"), town.place("anne")]
    assert replies(send(town.local(), _LIST)) == {_LIST: "250 2.1.5"}
    assert (len(mail(tmp_path, "jack")), len(mail(tmp_path, "anne"))) == (1, 1)


def test_a_bucket_takes_it_once_too() -> None:
    server = seaweed.running()
    bucket = server.make_bucket("delivered")
    town = Town({"file:///store": S3Store(server.client(), bucket)})
    for _ in range(2):
        assert replies(send(town.local(), _ANNE)) == {_ANNE: "250 2.1.5"}
    (found,) = server.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert server.client().get_object(Bucket=bucket, Key=found["Key"])["Body"].read().endswith(b"\r\n" + _MAIL)


def test_each_recipient_goes_where_his_domain_says_and_hears_his_own_answer(tmp_path: Path, town: Town) -> None:
    outbox = OutboxCourier(tmp_path / "outbox", now=lambda: 1.0, new_id=lambda: "id")
    courier = ByDomain(["example.com"], town.local().send, outbox)
    file = io.BytesIO(b"a line of the spool\n" + _MAIL)
    file.readline()
    outcomes = courier.send(Envelope(_JACK, ("far@example.net", _ANNE, _NOBODY, "JACK@EXAMPLE.COM")), file)
    assert replies(outcomes) == {
        _ANNE: "250 2.1.5",
        _NOBODY: "550 5.1.1",
        "JACK@EXAMPLE.COM": "550 5.1.1",
        "far@example.net": "250 2.0.0",
    }
    (sent,) = (tmp_path / "outbox").iterdir()
    assert sent.read_bytes() == b"Return-Path: <jack@example.com>\r\nX-Original-To: far@example.net\r\n" + _MAIL
    assert mail(tmp_path, "anne")[0].endswith(b"\r\n" + _MAIL)


def test_mail_for_one_side_alone_does_not_trouble_the_other(tmp_path: Path, town: Town) -> None:
    def local(envelope: Envelope, message: object) -> Mapping[str, Outcome]:
        raise AssertionError("nobody lives here")

    outbox = OutboxCourier(tmp_path / "outbox", now=lambda: 1.0, new_id=lambda: "id")
    assert replies(ByDomain(["example.com"], local, outbox).send(Envelope("", ("a@example.net",)), io.BytesIO(_MAIL))) == {
        "a@example.net": "250 2.0.0"
    }
