"""The lines that say what became of each message: enough to tell a sender where his mail is, and SES which of its messages it was."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from sesmail.log import fate, lists
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay.message import Message

_HEAD = 64 * 1024
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"^\r?\n", re.MULTILINE)


def accepted(id: str, envelope: Envelope) -> None:
    """A message of our own making is in the spool."""
    for to in lists(envelope.recipients):
        fate("accepted", id=id, account=envelope.account, sender=envelope.sender, to=to)


def sent(message: Message, outcomes: Mapping[str, Outcome]) -> None:
    """One line for each group of recipients that the next hop took under one id."""
    groups: defaultdict[str | None, list[str]] = defaultdict(list)
    for recipient, outcome in outcomes.items():
        if outcome.verdict is Verdict.ACCEPTED:
            groups[outcome.id].append(recipient)
    original = _original(message) if groups else None
    for id, recipients in groups.items():
        for to in lists(recipients):
            _fate("sent", message, to=to, next_id=id, original=original)


def refused(message: Message, outcomes: Mapping[str, Outcome]) -> None:
    """The client that is held hears it."""
    _returned(message, outcomes, "client")


def returned(message: Message, failures: Mapping[str, Outcome], *, report: str) -> None:
    """A report is on its way, or by rule there is none."""
    _returned(message, failures, report)


def held(message: Message, why: str) -> None:
    """It waits for the admin."""
    _fate("held", message, why=why)


def message_id(head: bytes) -> str | None:
    """The Message-ID of a header, for the log alone."""
    blank = _BLANK_LINE.search(head)
    found = _MESSAGE_ID.search(head, 0, blank.start() if blank else len(head))
    return found[1].strip().decode("ascii", "backslashreplace") if found else None


def _original(message: Message) -> str | None:
    try:
        return message_id(message.head(_HEAD))
    except OSError:
        # What was sent must be recorded as sent, come what may.
        return None


def _returned(message: Message, failures: Mapping[str, Outcome], report: str) -> None:
    for recipient, outcome in failures.items():
        _fate("returned", message, to=recipient, reply=outcome.reply, told=report)


def _fate(word: str, message: Message, **fields: object) -> None:
    envelope = message.envelope
    fate(word, id=message.id, account=envelope.account, sender=envelope.sender, **fields)
