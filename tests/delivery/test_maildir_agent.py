"""Maildirs get a message with the fields of final delivery, once, and dated as it was received."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesmail.delivery.maildiragent import MaildirAgent
from sesmail.delivery.plan import Maildir, Step
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.mail.outcome import Outcome, Verdict
from tests.delivery.given import MAIL, RECEIVED, Given, step

FIELDS = b"Return-Path: <jack@else.example>\r\nX-Original-To: tom@example.com\r\n"


def deliver(agent: MaildirAgent, message: Given, *steps: Step) -> list[Outcome]:
    outcomes = agent.deliver(steps, message)
    return [outcomes[one.name] for one in steps]


def new(box: Path) -> list[Path]:
    return list((box / "new").iterdir())


def test_the_fields_come_first_and_then_the_message_as_it_is(tmp_path: Path) -> None:
    box = tmp_path / "tom"
    (outcome,) = deliver(MaildirAgent(make=True), Given(fields=FIELDS), step(Maildir(str(box))))
    assert outcome.reply == "250 2.1.5 Ok delivered"
    (path,) = new(box)
    assert path.read_bytes() == FIELDS + MAIL
    assert path.stat().st_mtime == pytest.approx(RECEIVED, abs=0.001)


def test_the_same_message_is_there_once_however_often_it_comes(tmp_path: Path) -> None:
    box = tmp_path / "tom"
    for text in ("Ok delivered", "Ok delivered before"):
        assert deliver(MaildirAgent(make=True), Given(), step(Maildir(str(box))))[0].text == text
    assert len(new(box)) == 1


def test_one_maildir_that_is_missing_does_not_keep_mail_from_the_other(tmp_path: Path) -> None:
    MaildirAgent(make=True).deliver([step(Maildir(str(tmp_path / "tom")))], Given(id="before"))
    missing, there = step(Maildir(str(tmp_path / "gone"))), step(Maildir(str(tmp_path / "tom")))
    outcomes = deliver(MaildirAgent(), Given(), missing, there)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.LATER, Verdict.ACCEPTED]
    assert not (tmp_path / "gone").exists()
    assert len(new(tmp_path / "tom")) == 2


def test_a_message_that_is_gone_is_said_to_be_and_one_that_breaks_off_is_not_delivered(tmp_path: Path) -> None:
    one = step(Maildir(str(tmp_path / "tom")))
    with pytest.raises(NoSuchMessage):
        deliver(MaildirAgent(make=True), Given(error=NoSuchMessage()), one)
    for message in (Given(breaks=Unavailable()), Given(error=ValueError("ours"))):
        assert deliver(MaildirAgent(make=True), message, one)[0].verdict is Verdict.LATER
        assert all(file.closed for file in message.files)
    assert new(tmp_path / "tom") == []
    assert list((tmp_path / "tom" / "tmp").iterdir()) == []
