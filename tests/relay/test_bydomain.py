"""What is for here stays here, and what is not goes elsewhere."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.bydomain import ByDomain
from sesmail.relay.outbox import OutboxCourier

_MAIL = b"Received: by here id 1\r\nFrom: jack@example.com\r\n\r\n.\r\n\xe4\0 no end"
_JACK, _ANNE, _NOBODY = "jack@example.com", "anne@example.com", "nobody@example.com"


class Town:
    """Delivers to Anne alone."""

    def __init__(self) -> None:
        self.got: list[tuple[Envelope, bytes]] = []

    def deliver(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        self.got.append((envelope, message.read()))
        said = {_ANNE: Outcome(250, "2.1.5", "Ok")}
        return {address: said.get(address, Outcome(550, "5.1.1", "nobody")) for address in envelope.recipients}


def replies(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {address: outcome.reply[:9] for address, outcome in outcomes.items()}


def outbox(folder: Path) -> OutboxCourier:
    return OutboxCourier(folder / "outbox", now=lambda: 1.0, new_id=lambda: "id")


def test_each_recipient_goes_where_his_domain_says_and_hears_his_own_answer(tmp_path: Path) -> None:
    town = Town()
    file = io.BytesIO(b"a line of the spool\n" + _MAIL)
    file.readline()
    courier = ByDomain(["example.com"], town.deliver, outbox(tmp_path))
    outcomes = courier.send(Envelope(_JACK, ("far@example.net", _ANNE, _NOBODY, "JACK@EXAMPLE.COM"), _JACK, "jack"), file)
    assert replies(outcomes) == {
        _ANNE: "250 2.1.5",
        _NOBODY: "550 5.1.1",
        "JACK@EXAMPLE.COM": "550 5.1.1",
        "far@example.net": "250 2.0.0",
    }
    assert town.got == [(Envelope(_JACK, (_ANNE, _NOBODY, "JACK@EXAMPLE.COM"), _JACK, "jack"), _MAIL)]
    (sent,) = (tmp_path / "outbox").iterdir()
    assert sent.read_bytes() == b"Return-Path: <jack@example.com>\r\nX-Original-To: far@example.net\r\n" + _MAIL


def test_mail_for_one_side_alone_does_not_trouble_the_other(tmp_path: Path) -> None:
    town = Town()
    courier = ByDomain(["example.com"], town.deliver, outbox(tmp_path))
    assert replies(courier.send(Envelope("", ("a@example.net",)), io.BytesIO(_MAIL))) == {"a@example.net": "250 2.0.0"}
    assert town.got == []
    assert replies(courier.send(Envelope("", (_ANNE,)), io.BytesIO(_MAIL))) == {_ANNE: "250 2.1.5"}
    assert len(list((tmp_path / "outbox").iterdir())) == 1
