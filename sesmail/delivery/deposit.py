"""Mailboxes that mail servers deliver into by themselves: each an address, and a prefix of keys in a bucket that may be dated.

What mailtos3 did, for messages that may come twice: an object is called after its message, and never written over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Protocol, TypeAlias

from sesmail.delivery.boxes import StoreOf, labelled
from sesmail.delivery.called import called, digest
from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Plan
from sesmail.delivery.prefixed import prefixed
from sesmail.errors import MailError, Refused
from sesmail.interfaces import StorePlace
from sesmail.log import quoted
from sesmail.mail import dated, trace
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.storage.keys import message_key

log = logging.getLogger(__name__)

CATCH_ALL = "CatchAll"
"""The address of the mailbox for mail without one."""

_TROUBLE = Outcome(451, "4.3.0", "the mailbox cannot be reached at the moment, try again later")
_NOBODY = Outcome(550, "5.1.1", "no such mailbox")
# Mail servers give up after some days; what says it is older says so for another reason.
_OLDEST, _NEWEST = timedelta(days=30), timedelta(days=1)


Seal: TypeAlias = Callable[[BinaryIO], tuple[BinaryIO, Mapping[str, str]]]
"""Gives a file, which the caller closes, and what must be in its metadata. Raises Unavailable, OSError."""


@dataclass(frozen=True)
class Box:
    """Where the mail of one address goes. `prefix`: see mail.dated. `utc`: whether its dates are those of UTC, not of this machine. `seal`
    encrypts a message, see storage.sealed."""

    store: StorePlace
    prefix: str = ""
    utc: bool = False
    seal: Seal | None = None


class Rest(Protocol):
    """Where mail goes for those who have no box."""

    def plan(self, sender: str, recipients: Sequence[str]) -> Plan:
        """See Routing."""

    def deliver(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See interfaces.Deliver."""


class Deposits:
    """Plain blocking code, for several threads at a time.

    `boxes`: by address in lower case. `catch_all` is for mail without an address, and with `everybody` also for addresses that `rest`
    knows nobody of. `now`: seconds since 1970. `token` makes a queue id for messages that have none. `tell` hears in words what is done.
    """

    def __init__(
        self,
        boxes: Mapping[str, Box],
        rest: Rest,
        store_of: StoreOf,
        *,
        catch_all: Box | None = None,
        everybody: bool = False,
        now: Callable[[], float],
        token: Callable[[], str],
        tell: Callable[[str], object] = lambda words: None,
    ) -> None:
        self._boxes = dict(boxes)
        self._rest = rest
        self._store_of = store_of
        self._catch_all = catch_all
        self._everybody = catch_all if everybody else None
        self._now = now
        self._token = token
        self._tell = tell

    def plan(self, sender: str, recipients: Sequence[str]) -> Plan:
        """The plan of `rest` for those who have no box. Raises as `Routing.plan`."""
        others = [recipient for recipient in recipients if self._box(recipient) is None]
        return self._rest.plan(sender, others) if others and self._everybody is None else Plan(())

    def deliver(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See interfaces.Deliver: `message` is seekable, in CRLF form, and read from where it stands. Never raises."""
        start = message.tell()
        others = tuple(recipient for recipient in envelope.recipients if self._box(recipient) is None)
        outcomes = dict(self._others(replace(envelope, recipients=others), message)) if others else {}
        ours = [person for person in envelope.recipients if person not in outcomes or self._is_nobody(outcomes[person])]
        if ours:
            message.seek(start)
            outcomes |= self._into_boxes(envelope, ours, message)
        return {recipient: outcomes[recipient] for recipient in envelope.recipients}

    def _box(self, recipient: str) -> Box | None:
        return self._catch_all if recipient == CATCH_ALL else self._boxes.get(recipient.lower())

    def _others(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        try:
            return self._rest.deliver(envelope, message)
        except Exception as error:
            _log(error)
            return dict.fromkeys(envelope.recipients, _TROUBLE)

    def _is_nobody(self, outcome: Outcome) -> bool:
        return self._everybody is not None and outcome.verdict is Verdict.REFUSED and outcome.status == _NOBODY.status

    def _into_boxes(self, envelope: Envelope, people: Sequence[str], message: BinaryIO) -> Mapping[str, Outcome]:
        try:
            letter = _Letter(message, envelope, self._token, self._now)
        except Exception as error:
            _log(error)
            return dict.fromkeys(people, _TROUBLE)
        return {recipient: self._put(letter, recipient) for recipient in people}

    def _put(self, letter: _Letter, recipient: str) -> Outcome:
        box = self._box(recipient) or self._everybody
        if box is None:
            return _NOBODY
        try:
            return self._stored(letter, recipient, box)
        except Exception as error:
            # A key or metadata that cannot be is our own configuration's fault, and the mail is good.
            _log(error)
            self._tell(f"not stored for now: {error if isinstance(error, MailError) else type(error).__name__}")
            return _TROUBLE

    def _stored(self, letter: _Letter, recipient: str, box: Box) -> Outcome:
        id = letter.called(recipient)
        key = message_key(dated.folder(box.prefix, letter.moment(utc=box.utc)), "", id)
        arrival = letter.arrival(id, recipient)
        self._tell(f"processing message from={quoted(arrival.sender or '<>')}, to={quoted(recipient)}, object={quoted(key)}")
        file, sealed = box.seal(letter.file()) if box.seal else (letter.file(), {})
        metadata = labelled(sealed, arrival, (recipient,))
        self._tell(f"sending object={quoted(key)} to {box.store.url}")
        try:
            self._store_of(box.store).put(key, file, absent=True, metadata=metadata)
        except Refused:
            self._tell(f"object={quoted(key)} was there already")
        finally:
            file.close()
        return Outcome(250, "2.1.5", f"Ok stored as {id}", id=id)


class _Letter:
    """One message, and what is the same of it for all who get it."""

    def __init__(self, message: BinaryIO, envelope: Envelope, token: Callable[[], str], now: Callable[[], float]) -> None:
        self._message = message
        self._envelope = envelope
        self._start = message.tell()
        self._received = now()
        self._trace = trace.topmost(message.read(trace.HEAD))
        message.seek(self._start)
        self._digest = digest(message)
        self._queue_id = envelope.queue_id or self._trace.queue_id or token()

    def called(self, recipient: str) -> str:
        """Its id for this recipient."""
        return called(self._digest, self._queue_id, self._envelope.sender, (recipient,))

    def moment(self, *, utc: bool) -> datetime:
        """When the mail server took it, which does not change from try to try; where it does not say so, now."""
        now = datetime.fromtimestamp(self._received, UTC)
        found = self._trace.moment
        if found is None or not now - _OLDEST < found < now + _NEWEST:
            found = now
        return found.astimezone(UTC if utc else None)

    def arrival(self, id: str, recipient: str) -> Arrival:
        """What its metadata tells."""
        return Arrival(id, self._envelope.sender, (recipient,), self._received)

    def file(self) -> BinaryIO:
        """The message from its beginning. Only one may be open at a time."""
        self._message.seek(self._start)
        return prefixed(b"", self._message)


def _log(error: Exception) -> None:
    log.warning("delivery into a bucket: %s", error, exc_info=not isinstance(error, MailError))
