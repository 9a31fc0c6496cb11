"""What goes to the outbox is there whole, in order, with its envelope."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sesmail.mail.envelope import Envelope
from sesmail.relay.outbox import OutboxCourier

_MAIL = b"From: jack@example.com\r\n\r\n.\r\n\xe4\0 no end"
_FIELDS = b"Return-Path: <jack@example.com>\r\nX-Original-To: a@example.org\r\nX-Original-To: b@example.org\r\n"


def counting() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"id{next(numbers)}"


def courier(folder: Path, now: Callable[[], float] = lambda: 1_000_000_000.25) -> OutboxCourier:
    return OutboxCourier(folder, now=now, new_id=counting())


def envelope(*recipients: str) -> Envelope:
    return Envelope("jack@example.com", recipients or ("a@example.org", "b@example.org"))


def test_a_message_is_one_file_behind_the_fields_of_delivery(tmp_path: Path) -> None:
    outcomes = courier(tmp_path / "made/outbox").send(envelope(), io.BytesIO(_MAIL))
    (file,) = (tmp_path / "made/outbox").iterdir()
    assert file.name == "20010909T014640.250000Z-id1.eml"
    assert file.read_bytes() == _FIELDS + _MAIL
    assert {(address, outcome.code, outcome.id) for address, outcome in outcomes.items()} == {
        ("a@example.org", 250, file.name),
        ("b@example.org", 250, file.name),
    }


def test_others_cannot_read_it(tmp_path: Path) -> None:
    courier(tmp_path / "outbox").send(envelope(), io.BytesIO(_MAIL))
    (file,) = (tmp_path / "outbox").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_files_stand_in_the_order_of_sending(tmp_path: Path) -> None:
    times = iter([9.5, 10.0, 100.0])
    sender = courier(tmp_path, lambda: next(times))
    for body in (b"1", b"2", b"3"):
        sender.send(envelope(), io.BytesIO(body))
    assert [file.read_bytes()[-1:] for file in sorted(tmp_path.iterdir())] == [b"1", b"2", b"3"]


def test_many_at_once_do_not_meet(tmp_path: Path) -> None:
    sender = courier(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: sender.send(envelope(), io.BytesIO(b"%d" % number)), range(50)))
    assert {file.read_bytes().removeprefix(_FIELDS) for file in tmp_path.iterdir()} == {b"%d" % number for number in range(50)}


def test_a_folder_that_cannot_be_is_trouble_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcomes = courier(tmp_path / "file/outbox").send(envelope(), io.BytesIO(_MAIL))
    assert {outcome.reply[:9] for outcome in outcomes.values()} == {"451 4.3.0"}


def test_a_disk_that_fills_up_keeps_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcomes = courier(tmp_path).send(envelope(), io.BytesIO(_MAIL))
    assert {outcome.reply[:9] for outcome in outcomes.values()} == {"452 4.3.1"}
    assert list(tmp_path.iterdir()) == []


def test_a_message_is_taken_from_where_its_file_stands(tmp_path: Path) -> None:
    file = io.BytesIO(b"a line of the spool\n" + _MAIL)
    file.readline()
    courier(tmp_path).send(envelope(), file)
    assert next(tmp_path.iterdir()).read_bytes() == _FIELDS + _MAIL
