"""The courier that goes through another mail server: the SMTP endpoint of SES, or any that takes mail for everybody."""

from __future__ import annotations

import logging
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from sesmail.alarms import Alarms
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay.smtpreplies import accepted, broken, refusal, trouble
from sesmail.relay.smtpsession import GOOD_BYE, Session, SmtpSettings, Stopped
from sesmail.relay.split import carry
from sesmail.relay.stuffing import Stuffing

log = logging.getLogger(__name__)

_PIECE = 65536
_TROUBLES = (OSError, smtplib.SMTPException, Stopped)
# A server drops who says nothing for long; RFC 5321 section 4.5.3.2.7 wants five minutes, some have less.
_IDLE = 20.0
_KEPT = 8
_MESSAGES = 100


class SmtpCourier:
    """See Courier. A conversation may carry several messages, one after the other; a few wait for the next one.

    Raises OSError when `ca_file` cannot be read.
    """

    def __init__(self, settings: SmtpSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._alarms = Alarms(clock)
        self._context = ssl.create_default_context(cafile=settings.ca_file)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._lock = threading.Lock()
        self._idle: list[tuple[Session, float]] = []

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See Courier."""
        until = self._clock() + self._settings.patience
        attempt = _Attempt(_Letter.measured(envelope.sender, message), lambda fresh: self._session(until, fresh))

        def late() -> bool:
            return self._clock() >= until

        try:
            outcomes = carry(envelope.recipients, attempt.once, late=late, most=self._settings.most)
        finally:
            self._keep(attempt.session)
        self._alarms.hear(outcomes.values())
        return outcomes

    def close(self) -> None:
        """End the conversations that wait, in GOOD_BYE seconds for all. The courier may be used again."""
        with self._lock:
            idle, self._idle = self._idle, []
        until = self._clock() + GOOD_BYE
        for session, _ in idle:
            session.leave(until)

    def _session(self, until: float, fresh: bool) -> Session:
        if not fresh and (waiting := self._waiting()):
            waiting.until = until
            return waiting
        session = Session(self._settings, self._context, self._clock, until)
        try:
            session.begin()
        except BaseException:
            session.close()
            raise
        return session

    def _waiting(self) -> Session | None:
        with self._lock:
            idle, self._idle = self._idle, []
            now = self._clock()
            good = [entry for entry in idle if now - entry[1] < _IDLE]
            session = good.pop()[0] if good else None
            self._idle = good
        for old, since in idle:
            if now - since >= _IDLE:
                old.close()
        return session

    def _keep(self, session: Session | None) -> None:
        if session is None:
            return
        with self._lock:
            if session.used < _MESSAGES and len(self._idle) < _KEPT:
                self._idle.append((session, self._clock()))
                return
        session.leave(self._clock() + GOOD_BYE)


@dataclass(frozen=True)
class _Letter:
    sender: str
    message: BinaryIO
    start: int
    size: int
    eight_bit: bool

    @classmethod
    def measured(cls, sender: str, message: BinaryIO) -> _Letter:
        start, first = message.tell(), message.read(_PIECE)
        size, ascii = len(first), first.isascii()
        while piece := message.read(_PIECE):
            size += len(piece)
            ascii = ascii and piece.isascii()
        if size == len(first):
            # A small one is not read from the disk again.
            message, start = BytesIO(first), 0
        return cls(sender, message, start, size, not ascii)

    def wire(self) -> Iterator[bytes]:
        """What follows DATA, from the beginning."""
        self.message.seek(self.start)
        stuffing = Stuffing()
        while piece := self.message.read(_PIECE):
            yield stuffing.feed(piece)
        yield stuffing.finish()


class _Attempt:
    """One message's attempt; `session` is the conversation that it left in good order, if any."""

    def __init__(self, letter: _Letter, open: Callable[[bool], Session]) -> None:
        self.session: Session | None = None
        self._letter = letter
        self._open = open

    def once(self, group: Sequence[str]) -> tuple[Mapping[str, Outcome], Outcome | None]:
        """See split.Once: trouble with the server or the way there stops everything, a reply to one address does not."""
        outcomes: dict[str, Outcome] = {}
        try:
            session, refused = self._introduced(group)
            if refused is not None:
                return dict.fromkeys(group, refused), refused
            return outcomes, self._transaction(session, group, outcomes)
        except _TROUBLES as error:
            stop = self._broken_off(error)
            return dict.fromkeys(group, stop) | outcomes, stop

    def _introduced(self, group: Sequence[str]) -> tuple[Session, Outcome | None]:
        """A session that was told the sender, or the outcome for everybody."""
        session, fresh = self.session, False
        self.session = None
        if session is None:
            session = self._open(False)
            fresh = session.used == 0
        try:
            refused = self._mail(session, group)
        except _TROUBLES:
            session.close()
            if fresh:
                raise
            # It had waited too long for the server's taste. Nothing of this message was said in it.
            session = self._open(True)
            self.session = session
            refused = self._mail(session, group)
        self.session = session
        session.used += 1
        return session, refused

    def _mail(self, session: Session, group: Sequence[str]) -> Outcome | None:
        letter = self._letter
        words = f"MAIL FROM:<{letter.sender}>"
        if session.has_extn("size"):
            limit = session.esmtp_features["size"]
            if limit.isdigit() and 0 < int(limit) < letter.size:
                return Outcome(552, "5.3.4", f"the next mail server takes messages of {limit} octets at most")
            words += f" SIZE={letter.size}"
        if letter.eight_bit:
            if not session.has_extn("8bitmime"):
                # RFC 6152 section 3 leaves converting, which would break signatures, or not sending.
                return trouble("8BITMIME: the server takes no 8-bit mail", "4.6.3")
            words += " BODY=8BITMIME"
        session.ahead(words, *map(_rcpt, group))
        code, text = session.command(words)
        if code == 250:
            return None
        session.hear_out()
        return refusal("MAIL", code, text)

    def _transaction(self, session: Session, group: Sequence[str], outcomes: dict[str, Outcome]) -> Outcome | None:
        """Fills in `outcomes`; returns what stops everything, if anything does."""
        taken = []
        for address in group:
            code, text = session.command(_rcpt(address))
            if code in (250, 251, 252):
                taken.append(address)
            else:
                outcomes[address] = refusal("RCPT", code, text)
        if not taken:
            self._reset(session)
            return None
        got = self._data(session)
        outcomes |= dict.fromkeys(taken, got)
        return got if got.verdict is Verdict.LATER else None

    def _data(self, session: Session) -> Outcome:
        code, text = session.command("DATA")
        if code != 354:
            self._reset(session)
            return refusal("DATA", code, text, content=True)
        for piece in self._letter.wire():
            session.send(piece)
        code, text = session.answer("DATA")
        return accepted(text) if code // 100 == 2 else refusal("DATA", code, text, content=True)

    def _reset(self, session: Session) -> None:
        try:
            session.command("RSET")
        except _TROUBLES:
            # What was said before it holds all the same.
            session.close()
            self.session = None

    def _broken_off(self, error: Exception) -> Outcome:
        if self.session is not None:
            self.session.close()
            self.session = None
        log.warning("SMTP: %s: %s", type(error).__name__, str(error)[:300])
        return error.outcome if isinstance(error, Stopped) else broken()


def _rcpt(address: str) -> str:
    return f"RCPT TO:<{address}>"
