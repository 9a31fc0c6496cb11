"""A message goes to the gateway that runs beside us, by its LMTP socket: to all who are to have it, or to none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

from sesmail.delivery.lmtpanswers import heard
from sesmail.delivery.lmtpsession import Broken, Conversation, LmtpSettings
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.mail.wire import Wire

_QUEUE_ID = "XQUEUEID"
_PIECE = 65536
_TROUBLE = Outcome(451, "4.4.2", "the gateway breaks off, try again later")
_PARTLY = Outcome(451, "4.3.0", "some have the message, and others are refused")


class NotThere(Exception):
    """No gateway answers there; nothing of the message was said."""


def handed_over(
    settings: LmtpSettings,
    sender: str,
    people: Sequence[str],
    message: BinaryIO,
    queue_id: str,
    *,
    clock: Callable[[], float],
) -> Mapping[str, Outcome]:
    """Give the message (seekable), from where it stands, to the gateway; returns an outcome for each recipient.

    When one of them is not taken before the message is sent, nobody is given it. Addresses are such as can stand in angle brackets,
    `queue_id` a word of `mail.trace`. Raises NotThere, and what reading `message` raises.
    """
    outcomes: dict[str, Outcome] = {}
    conversation = _begun(settings, clock)
    try:
        _Transaction(conversation, outcomes).carry(sender, people, message, queue_id)
    except (OSError, Broken, UnicodeError):
        # Where it breaks off in the answers some may have it already: the next try finds that out.
        return dict.fromkeys(people, _TROUBLE) | outcomes
    finally:
        conversation.close()
    return outcomes


def worst(outcomes: Mapping[str, Outcome]) -> Outcome:
    """What the delivery as a whole comes to. Nobody's mail is returned that somebody has, or may yet get."""
    found = {one.verdict: one for one in reversed(list(outcomes.values()))}
    if Verdict.LATER not in found and len(found) > 1:
        return _PARTLY
    return found.get(Verdict.LATER) or found.get(Verdict.REFUSED) or found[Verdict.ACCEPTED]


def _begun(settings: LmtpSettings, clock: Callable[[], float]) -> Conversation:
    try:
        conversation = Conversation(settings, None, clock, clock() + settings.patience)
    except OSError as error:
        raise NotThere from error
    try:
        conversation.begin()
    except (OSError, Broken) as error:
        conversation.close()
        raise NotThere from error
    return conversation


class _Transaction:
    """Fills in `outcomes` as they are heard."""

    def __init__(self, conversation: Conversation, outcomes: dict[str, Outcome]) -> None:
        self._conversation = conversation
        self._outcomes = outcomes

    def carry(self, sender: str, people: Sequence[str], message: BinaryIO, queue_id: str) -> None:
        self._announce(sender, people, message, queue_id)
        if self._outcomes:
            first = worst(self._outcomes)
            self._outcomes |= {person: first for person in people if person not in self._outcomes}
            return
        for piece in _wire(message):
            self._conversation.send(piece)
        for person in people:
            self._outcomes[person] = heard("END", self._conversation.answer())

    def _announce(self, sender: str, people: Sequence[str], message: BinaryIO, queue_id: str) -> None:
        """Say all that comes before the message. There is an outcome where something is not taken."""
        named = f" {_QUEUE_ID}={queue_id}" if _QUEUE_ID in self._conversation.features else ""
        reply = self._conversation.command(f"MAIL FROM:<{sender}> SIZE={_size(message)} BODY=8BITMIME{named}")
        if reply.code != 250:
            self._outcomes |= dict.fromkeys(people, heard("MAIL", reply))
            return
        for person in people:
            reply = self._conversation.command(f"RCPT TO:<{person}>")
            if reply.code // 100 != 2:
                self._outcomes[person] = heard("RCPT", reply)
        if not self._outcomes:
            reply = self._conversation.command("DATA")
            if reply.code != 354:
                self._outcomes |= dict.fromkeys(people, heard("DATA", reply))


def _wire(message: BinaryIO) -> Iterator[bytes]:
    wire = Wire()
    while piece := message.read(_PIECE):
        yield wire.feed(piece)
    yield wire.finish() + b".\r\n"


def _size(message: BinaryIO) -> int:
    start = message.tell()
    size = message.seek(0, 2) - start
    message.seek(start)
    return size
