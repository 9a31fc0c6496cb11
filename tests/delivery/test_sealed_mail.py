"""Mail that SES sealed: sorted as it lies there, and opened for those alone who cannot take it so."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from sesmail.aws.kms import DataKey
from sesmail.delivery.held import Held
from sesmail.delivery.journey import Sorted
from sesmail.errors import Unavailable
from sesmail.interfaces import StorePlace
from sesmail.storage.datakeys import DataKeys
from sesmail.storage.keys import Override, Places
from sesmail.storage.sealed import SealingKey, seal
from sesmail.storage.unsealing import Unsealing
from tests.delivery.sorting import ANNE, ELSEWHERE, ID, MAIL, PLACE, TOM, Office, box, bucket, directory, notice

KEY = bytes(range(32))
STAMPED = (
    b"Return-Path: <x@example.org>\r\nReceived: from a by inbound-smtp.eu-west-1.amazonaws.com with SMTP id %s for %s;"
    b" Sat, 21 Nov 2026 09:30:00 +0000 (UTC)\r\nX-SES-RECEIPT: abcd\r\nFrom: x@example.org\r\n\r\nhello\r\n"
) % (ID.encode(), TOM.encode())


class KmsDesk:
    """KMS with one key, which can be taken away."""

    def __init__(self) -> None:
        self.asked = 0
        self.refuses = False

    def decrypt(self, place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self.asked += 1
        if self.refuses:
            raise Unavailable(cause="KMS refuses Decrypt: AccessDeniedException")
        return KEY


@pytest.fixture
def kms() -> KmsDesk:
    return KmsDesk()


@pytest.fixture
def office(kms: KmsDesk) -> Office:
    unsealing = Unsealing(PLACE, DataKeys(kms.decrypt, seconds=0))
    return Office(bucket(), unsealed=unsealing.opened)


def sealed(mail: bytes = MAIL) -> tuple[bytes, Mapping[str, str]]:
    file, metadata = seal(io.BytesIO(mail), SealingKey("k", lambda key_id, context: DataKey(KEY, b"wrapped"), "kms"))
    with file:
        return file.read(), metadata


def arrive(office: Office, mail: bytes = MAIL) -> bytes:
    data, metadata = sealed(mail)
    office.arrive(data=data, metadata=metadata)
    return data


def test_sealed_mail_comes_into_mailboxes_without_being_opened(office: Office, kms: KmsDesk) -> None:
    data = arrive(office)
    assert office.sorter().sort(notice(TOM, ANNE)) is Sorted.DONE
    for person in (TOM, ANNE):
        assert office.read(box(person)) == data
        assert {"x-amz-key-v2", "x-amz-iv", "x-amz-matdesc"} <= office.real.head(box(person)).metadata.keys()
    assert kms.asked == 0
    assert not any(what == "open" for what, _ in office.store.calls)


def test_sealed_mail_is_opened_for_whoever_is_no_mailbox(office: Office, kms: KmsDesk) -> None:
    office.routes = {ANNE: ["lmtp:anne", "pipe:cat", "maildir:/nowhere", "forward:b@example.net"]}
    data = arrive(office)
    assert office.sorter().sort(notice(ANNE, TOM)) is Sorted.DONE
    assert [mail for _, mail in office.notes.got] == [MAIL] * len(office.notes.got)
    assert len(office.notes.got) >= 2
    assert office.read(box(TOM)) == data
    assert kms.asked == 1


def test_as_long_as_kms_refuses_it_comes_again(office: Office, kms: KmsDesk) -> None:
    office.routes = {ANNE: ["lmtp:anne"]}
    kms.refuses = True
    arrive(office)
    with pytest.raises(Unavailable):
        office.sorter().sort(notice(ANNE))
    assert office.notes.got == []
    kms.refuses = False
    assert office.sorter().sort(notice(ANNE), again=True) is Sorted.DONE
    assert office.notes.got == [("anne", MAIL)]


@pytest.mark.parametrize("size", [100, 400_000])
def test_what_was_changed_since_goes_to_nobody_and_is_held(office: Office, size: int) -> None:
    office.routes = {ANNE: ["lmtp:anne"]}
    data, metadata = sealed(b"x" * size)
    office.arrive(data=data[:50] + bytes([data[50] ^ 1]) + data[51:], metadata=metadata)
    assert office.sorter().sort(notice(ANNE)) is Sorted.HELD
    assert office.notes.got == []
    assert "damaged" in Held(office.inbox).record(ID).recipients[ANNE].text


def test_whom_ses_names_is_found_in_sealed_mail_too(office: Office, kms: KmsDesk) -> None:
    object.__setattr__(office.inbox, "notices", False)
    arrive(office, STAMPED)
    assert office.sorter().sort(notice()) is Sorted.DONE
    assert box(TOM) in office.listed()
    assert kms.asked == 1
    # Looked at once and fetched once.
    assert [what for what, key in office.store.calls if key == f"new/{ID}" and what in ("head", "open")] == ["head", "open"]


def test_where_it_cannot_be_opened_nobody_is_guessed(office: Office) -> None:
    data, metadata = sealed(STAMPED)
    office.arrive(data=data[:-1], metadata=metadata)
    assert office.sorter().sort(notice()) is Sorted.HELD


def test_the_administrator_sees_the_header_of_what_is_held(office: Office) -> None:
    office.people = set()
    arrive(office)
    assert office.sorter().sort(notice(ANNE)) is Sorted.HELD
    assert Held(office.inbox).head(ID, 20) == MAIL[:20]


def test_where_an_envelope_could_get_lost_the_message_lies_open(kms: KmsDesk, tmp_path: Path) -> None:
    unsealing = Unsealing(PLACE, DataKeys(kms.decrypt, seconds=0))
    office = Office(bucket(), directory(tmp_path / "store"), unsealed=unsealing.opened)
    office.places = Places("mail/%d/%u/", "x", PLACE, False, {TOM: Override(store=ELSEWHERE, prefix="his/")})
    arrive(office)
    assert office.sorter().sort(notice(TOM, ANNE)) is Sorted.DONE
    assert office.other is not None
    with office.other.open(f"his/{ID}") as file:
        assert file.read() == MAIL
    assert office.read(box(ANNE)) != MAIL
