"""Delivery by LMTP (RFC 2033): plain blocking code, with one outcome for each recipient, as the protocol has it."""

from __future__ import annotations

import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

from sesmail.delivery.lmtpanswers import heard
from sesmail.delivery.lmtpsession import Broken, Conversation, LmtpSettings, Reply
from sesmail.mail.outcome import Outcome
from sesmail.mail.wire import Wire

log = logging.getLogger(__name__)

_PIECE = 65536
_IDLE = 20.0
_KEPT = 16
_MESSAGES = 100
_SPEAKABLE = re.compile(r"[ -~]{1,512}")
_UNSPEAKABLE = Outcome(553, "5.1.3", "a name that LMTP cannot carry")
_BAD_SENDER = Outcome(553, "5.1.7", "a sender that LMTP cannot carry")
_TROUBLE = Outcome(451, "4.4.2", "the mail store cannot be reached at the moment, try again later")


class LmtpClient:
    """Delivers to one server, from several threads at a time. A conversation may carry several messages, one after the other; a few
    wait for the next one.

    `clock` gives seconds. Raises OSError when `ca_file` cannot be read.
    """

    def __init__(self, settings: LmtpSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._context = _context(settings)
        self._lock = threading.Lock()
        self._idle: list[tuple[Conversation, float]] = []

    def deliver(self, sender: str, users: Sequence[str], message: BinaryIO) -> Mapping[str, Outcome]:
        """Try once to deliver `message` (seekable), from where it stands, to every user; `sender` is ``""`` for the null sender.

        What is ACCEPTED is the server's. Trouble with the server or the way there is a LATER, also where it cannot be known whether
        the message was taken. The octets go out as they are, with CRLF for an LF that stands alone. Raises what reading `message` raises;
        then it was delivered to nobody, or to the first `most` users and so on.
        """
        until = self._clock() + self._settings.patience
        wanted = list(dict.fromkeys(users))
        if sender and not _SPEAKABLE.fullmatch(sender):
            return dict.fromkeys(wanted, _BAD_SENDER)
        start = message.tell()
        outcomes = {user: _UNSPEAKABLE for user in wanted if not _SPEAKABLE.fullmatch(user)}
        speakable = [user for user in wanted if user not in outcomes]
        for first in range(0, len(speakable), self._settings.most):
            message.seek(start)
            outcomes |= self._transaction(sender, speakable[first : first + self._settings.most], message, until)
        return {user: outcomes[user] for user in wanted}

    def close(self) -> None:
        """End the conversations that wait. The client may be used again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for conversation, _ in idle:
            conversation.leave()

    def _transaction(self, sender: str, users: Sequence[str], message: BinaryIO, until: float) -> Mapping[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        conversation: Conversation | None = None
        try:
            conversation, reply = self._introduced(sender, message, until)
            if reply.code == 250:
                _Transaction(conversation, outcomes).carry(users, message)
            else:
                outcomes |= dict.fromkeys(users, heard("MAIL", reply))
                conversation.command("RSET")
            self._keep(conversation)
        except (OSError, Broken, UnicodeError) as error:
            # UnicodeError: a name that no host can have.
            log.warning("LMTP: %s: %s", type(error).__name__, str(error)[:300])
            _give_up(conversation)
        except _Unread as error:
            _give_up(conversation)
            raise error.cause from None
        except BaseException:
            _give_up(conversation)
            raise
        return dict.fromkeys(users, _TROUBLE) | outcomes

    def _introduced(self, sender: str, message: BinaryIO, until: float) -> tuple[Conversation, Reply]:
        """A conversation that was told the sender, and what it says to him."""
        waiting = self._waiting()
        if waiting is not None:
            waiting.until = until
            try:
                return waiting, _mail(waiting, sender, message)
            except (OSError, Broken):
                # It had waited too long for the server's taste. Nothing of this message was said in it.
                waiting.close()
        fresh = Conversation(self._settings, self._context, self._clock, until)
        try:
            fresh.begin()
            return fresh, _mail(fresh, sender, message)
        except BaseException:
            fresh.close()
            raise

    def _waiting(self) -> Conversation | None:
        now = self._clock()
        with self._lock:
            idle = self._idle
            self._idle = [entry for entry in idle if now - entry[1] < _IDLE]
            found = self._idle.pop()[0] if self._idle else None
        for old, since in idle:
            if now - since >= _IDLE:
                old.close()
        if found is None or found.quiet:
            return found
        found.close()
        return None

    def _keep(self, conversation: Conversation) -> None:
        conversation.used += 1
        if not conversation.quiet:
            # It says more than it was asked: the next message would hear this one's replies.
            conversation.close()
            return
        with self._lock:
            if conversation.used < _MESSAGES and len(self._idle) < _KEPT:
                self._idle.append((conversation, self._clock()))
                return
        conversation.leave()


class _Transaction:
    """From RCPT to the last reply. Fills in `outcomes` as they come, so that what was heard before trouble holds."""

    def __init__(self, conversation: Conversation, outcomes: dict[str, Outcome]) -> None:
        self._conversation = conversation
        self._outcomes = outcomes

    def carry(self, users: Sequence[str], message: BinaryIO) -> None:
        taken = [user for user in users if self._is_taken(user)]
        if not taken:
            self._conversation.command("RSET")
            return
        reply = self._conversation.command("DATA")
        if reply.code // 100 in (2, 3) and reply.code != 354:
            raise Broken(f"{reply.code} {reply.text} in answer to DATA")
        if reply.code != 354:
            self._outcomes |= dict.fromkeys(taken, heard("DATA", reply))
            self._conversation.command("RSET")
            return
        for piece in _wire(message):
            self._conversation.send(piece)
        # RFC 2033 section 4.2: one reply for each recipient that was taken, in their order.
        for user in taken:
            self._outcomes[user] = heard("END", self._conversation.answer())

    def _is_taken(self, user: str) -> bool:
        reply = self._conversation.command(f"RCPT TO:<{user}>")
        if reply.code // 100 == 2:
            return True
        self._outcomes[user] = heard("RCPT", reply)
        return False


class _Unread(Exception):
    """The message cannot be read; that is not the server's fault."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(cause)
        self.cause = cause


def _wire(message: BinaryIO) -> Iterator[bytes]:
    wire = Wire()
    while True:
        try:
            piece = message.read(_PIECE)
        except Exception as error:
            raise _Unread(error) from error
        if not piece:
            break
        yield wire.feed(piece)
    yield wire.finish() + b".\r\n"


def _mail(conversation: Conversation, sender: str, message: BinaryIO) -> Reply:
    words = f"MAIL FROM:<{sender}>"
    if "SIZE" in conversation.features:
        # An estimate, as RFC 1870 section 6.1 has it: line ends may be mended on the way.
        words += f" SIZE={_size(message)}"
    if "8BITMIME" in conversation.features:
        words += " BODY=8BITMIME"
    return conversation.command(words)


def _size(message: BinaryIO) -> int:
    start = message.tell()
    size = message.seek(0, 2) - start
    message.seek(start)
    return size


def _give_up(conversation: Conversation | None) -> None:
    if conversation is not None:
        conversation.close()


def _context(settings: LmtpSettings) -> ssl.SSLContext | None:
    if settings.tls == "none":
        return None
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
