"""What another mail server hands over: its recipients are known before the message is, and 250 means that the store has it."""

from __future__ import annotations

import errno
import io
import logging
import os
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from unittest.mock import patch

import pytest

from sesmail.aliases.model import AddressRules
from sesmail.delivery.plan import Lmtp
from sesmail.delivery.reception import Handover
from sesmail.errors import Limited, MailError, Unavailable
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from tests.delivery.sorting import ANNE, BOB, LATER, MAIL, SENDER, TOM, Office, directory

PIECE = b"x" * 998 + b"\r\n"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "mail"))


def handover(office: Office, folder: Path | None = None) -> Handover:
    return Handover(office.routing().plan, office.local().deliver, str(folder) if folder else None)


def delivered(office: Office, *recipients: str, data: bytes = MAIL) -> dict[str, int]:
    outcomes = handover(office).take(SENDER, recipients).deliver(data)
    return {recipient: outcome.code for recipient, outcome in outcomes.items()}


def refusal(office: Office, recipient: str) -> str | None:
    with pytest.raises(MailError) as caught:
        handover(office).check(recipient)
    return caught.value.smtp


def test_people_and_what_routes_lead_to_may_have_mail(office: Office) -> None:
    office.routes = {
        "list@example.com": [TOM, ANNE],
        "both@example.com": ["nobody@example.com", TOM],
        "away@example.com": ["forward:a@example.org"],
        "dovecot@example.com": ["lmtp:dovecot"],
        "sink@example.com": ["drop:"],
        "kept@example.com": ["hold:"],
    }
    for recipient in (TOM, "tom+tag@example.com", "TOM@example.com", *office.routes):
        handover(office).check(recipient)


def test_nobody_of_that_name_is_550_5_1_1(office: Office) -> None:
    office.routes = {"bounced@example.com": ["bounce:"]}
    for recipient in ("nobody@example.com", "bounced@example.com", "nobody@elsewhere.example"):
        assert refusal(office, recipient) == "550 5.1.1"


def test_who_is_denied_is_550_5_7_1(office: Office) -> None:
    office.address_rules = AddressRules(deny=frozenset({BOB}))
    assert refusal(office, BOB) == "550 5.7.1"
    assert refusal(office, "bob+tag@example.com") == "550 5.7.1"


def test_tables_that_cannot_be_asked_are_trouble_and_no_refusal() -> None:
    def plan(sender: str, recipients: object) -> object:
        raise Unavailable

    with pytest.raises(Unavailable):
        Handover(plan, lambda envelope, file: {}).check(TOM)  # type: ignore[arg-type]


def test_each_recipient_has_an_outcome_of_his_own(office: Office) -> None:
    office.routes = {"dovecot@example.com": ["lmtp:dovecot"], "slow@example.com": ["lmtp:slow"]}
    office.notes.answers = {"slow": LATER}
    assert delivered(office, TOM, "nobody@example.com", "slow@example.com", "dovecot@example.com") == {
        TOM: 250,
        "nobody@example.com": 550,
        "slow@example.com": 451,
        "dovecot@example.com": 250,
    }
    (key,) = office.listed("mail/")
    assert office.read(key) == b"Return-Path: <x@example.org>\r\nX-Original-To: tom@example.com\r\n" + MAIL
    assert office.notes.got[0][1].endswith(MAIL)
    assert Lmtp in office.agents


def test_what_is_handed_over_again_is_written_once(office: Office) -> None:
    for _ in range(3):
        assert delivered(office, TOM, ANNE) == {TOM: 250, ANNE: 250}
    assert len(office.listed("mail/")) == 2


def test_a_store_that_fails_is_trouble_and_leaves_nothing(office: Office) -> None:
    with patch.object(office.store, "put", side_effect=Unavailable()):
        assert delivered(office, TOM, ANNE) == {TOM: 451, ANNE: 451}
    assert office.listed() == []
    assert delivered(office, TOM, ANNE) == {TOM: 250, ANNE: 250}


def test_a_message_in_pieces_is_the_same_as_one_in_one(office: Office, tmp_path: Path) -> None:
    parcel = handover(office, tmp_path).take(SENDER, (TOM,))
    for start in range(0, len(MAIL) - 5, 7):
        parcel.write(MAIL[start : min(start + 7, len(MAIL) - 5)])
    assert [outcome.code for outcome in parcel.deliver(MAIL[-5:]).values()] == [250]
    assert delivered(office, TOM) == {TOM: 250}
    (key,) = office.listed("mail/")
    assert office.read(key).endswith(MAIL)


def test_the_file_of_a_message_has_no_name_and_is_gone_at_its_end(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "waiting"
    folder.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    parcels = [handover(office, folder).take(SENDER, (TOM,)) for _ in range(2)]
    for parcel in parcels:
        parcel.write(MAIL)
    assert list(folder.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before + 2
    parcels[0].deliver(b"")
    parcels[1].discard()
    parcels[1].discard()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_452_4_3_1_and_keeps_no_file(office: Office, tmp_path: Path, full: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    parcel = handover(office, tmp_path).take(SENDER, (TOM,))
    parcel.write(MAIL)
    with patch.object(os, "writev", side_effect=OSError(full, "full")):
        with pytest.raises(Limited) as caught:
            parcel.write(MAIL)
        with pytest.raises(Limited):
            parcel.deliver(MAIL)
    assert caught.value.smtp == "452 4.3.1"
    parcel.discard()
    assert len(os.listdir("/proc/self/fd")) == before
    assert office.listed() == []


def test_a_folder_that_is_not_there_is_trouble(office: Office, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        handover(office, tmp_path / "none").take(SENDER, (TOM,)).write(MAIL)


def test_a_write_that_stops_short_goes_on(office: Office, tmp_path: Path) -> None:
    write = os.write
    parcel = handover(office, tmp_path).take(SENDER, (TOM,))
    with (
        patch.object(os, "writev", lambda fd, pieces: write(fd, pieces[0][:3])),
        patch.object(os, "write", lambda fd, data: write(fd, data[:3])),
    ):
        parcel.write(MAIL)
    parcel.deliver(b"")
    (key,) = office.listed("mail/")
    assert office.read(key).endswith(MAIL)


def test_who_is_left_out_of_the_outcomes_is_tried_again() -> None:
    def deliver(envelope: Envelope, file: BinaryIO) -> Mapping[str, Outcome]:
        return {TOM: Outcome(250, "2.1.5", "Ok")}

    parcel = Handover(lambda *_: None, deliver).take(SENDER, (TOM, ANNE))  # type: ignore[arg-type]
    assert {recipient: outcome.code for recipient, outcome in parcel.deliver(MAIL).items()} == {TOM: 250, ANNE: 451}


def test_a_large_message_is_in_the_memory_neither_coming_nor_going(office: Office, tmp_path: Path) -> None:
    octets = 20_000_000
    parcel = handover(office, tmp_path).take(SENDER, (TOM, ANNE))
    tracemalloc.start()
    for _ in range(octets // 65_000):
        parcel.write(PIECE * 65)
    outcomes = parcel.deliver(PIECE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [outcome.code for outcome in outcomes.values()] == [250, 250]
    assert peak < 2_000_000


def test_its_fate_is_one_line(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sesmail.fate"):
        delivered(office, TOM, "nobody@example.com")
    (line,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("received ")]
    assert f"sender={SENDER} recipients=2 octets={len(MAIL)}" in line
    assert 'replies="[250, 550]"' in line


def test_an_empty_message_is_one(office: Office) -> None:
    assert delivered(office, TOM, data=b"") == {TOM: 250}
    assert io.BytesIO(office.read(office.listed("mail/")[0])).readline() == b"Return-Path: <x@example.org>\r\n"
