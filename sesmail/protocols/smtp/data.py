"""DATA: a message goes on as it comes in, to its real end, and is answered (RFC 5321 section 4.1.1.4, RFC 2033 section 4.2)."""

from __future__ import annotations

import logging
from typing import Any

from OpenSSL import SSL

from sesmail.errors import MailError, Malformed, Refused, TooLarge
from sesmail.interfaces import Hop, Letter, Parcel
from sesmail.mail.data import DataDecoder
from sesmail.protocols.failures import known
from sesmail.protocols.lineserver import Gone
from sesmail.protocols.progress import acknowledge_at_once
from sesmail.protocols.smtp.replies import refusal, reply
from sesmail.protocols.smtp.server import SMTPSession

# What a TLS record holds.
_PIECE = 16 * 1024

logger = logging.getLogger(__name__)

_GO_ON = reply("354", "send the message, then a line with a dot")


async def data(session: SMTPSession, _: bytes) -> None:
    """DATA. A client that leaves before the end has sent nothing; when it leaves while the message is finished, that goes on."""
    if not session.recipients:
        if session.refused:
            raise Refused("no valid recipients", smtp=session.nobody)
        raise Refused("RCPT comes first", smtp="503 5.5.1")
    try:
        letter = await session.taker.begin(session.sender, tuple(dict.fromkeys(session.recipients)), _hop(session))
        await _receive(session, letter)
    finally:
        session.reset()


async def _receive(session: SMTPSession, letter: Letter | Parcel) -> None:
    session.receiving = True
    try:
        await session.push(_GO_ON)
        await Transfer(session, letter).run()
        if session.gone:
            # It has heard no answer and will send the message again.
            raise Gone
        outcomes = await session.finish(letter)
    except Gone:
        await _discard(letter)
        raise
    except Exception as error:
        await _discard(letter)
        await session.return_message(known(error))
    else:
        await session.answer(outcomes)
    finally:
        session.receiving = False


async def _discard(letter: Letter | Parcel) -> None:
    """Never raises: whatever becomes of it, the message must be read to its end and answered."""
    try:
        await letter.discard()
    except Exception:
        logger.exception("a message could not be discarded")


class Transfer:
    """Reads one message and hands it on, no faster than it is taken."""

    def __init__(self, session: SMTPSession, letter: Letter | Parcel) -> None:
        self._session = session
        self._policy = session.policy
        self._letter = letter
        self._decoder = DataDecoder(bare=session.policy.bare_newlines)
        self._octets = 0
        self._refused: MailError | None = None
        self._left = session.policy.data_grace

    async def run(self) -> None:
        """Read to the end; what came behind it stays for the next command.

        Raises what the message is refused for, but not before its end: nothing of it may be read as a command. Raises Gone also for
        a client that goes on and on.
        """
        # An error of ours in here would leave the rest of the message to be read as commands.
        with self._session.unfinished():
            while not self._decoder.ended:
                # Kept nowhere: while the next piece is waited for, this one must not be in memory.
                await self._take(self._decoder.feed(await self._piece()))
                if self._octets > 2 * self._policy.max_size:
                    self._session.hang_up(refusal(self._too_large()) * self._session.answers)
                    raise Gone
        self._session.put_back(self._decoder.rest)
        # Its own flaws come first, so that it does not matter which piece showed what.
        if refused := self._flaw() or self._refused:
            raise refused

    async def _piece(self) -> bytes:
        clock = self._session.clock
        if self._octets:
            self._session.listener.reading.much(self._session.transport)
        began = clock.seconds()
        piece = await self._session.read_piece(_PIECE, min(self._policy.data_timeout, self._left))
        # Only time in which we wait for the client is the client's. What it makes up for is never more than the grace.
        acknowledge_at_once(self._session.transport)
        lost = clock.seconds() - began - len(piece) / self._policy.data_rate
        self._left = min(self._policy.data_grace, self._left - lost)
        return piece

    async def _take(self, message: bytes) -> None:
        self._octets += len(message)
        if self._refused is not None:
            return
        try:
            if flaw := self._flaw():
                raise flaw
            if message:
                await self._session.hold_during(self._letter.write(message))
        except Exception as error:
            self._refused = known(error)
            await _discard(self._letter)

    def _flaw(self) -> MailError | None:
        if self._decoder.bare and self._policy.bare_newlines == "refuse":
            # Others may take one for a line end and find the end of the message where we do not.
            return Malformed("the message has a CR or LF that stands alone", smtp="554 5.6.0")
        return self._too_large() if self._octets > self._policy.max_size else None

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a message may have {self._policy.max_size} octets")


def _hop(session: SMTPSession) -> Hop:
    if session.tls is None:
        session.tls = _tls(session.transport)
    return Hop(session.peer, session.helo, session.way, session.tls, session.queue_id)


def _tls(transport: Any) -> str | None:
    connection = transport.getHandle() if hasattr(transport, "getHandle") else None
    if isinstance(connection, SSL.Connection):
        return f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}"
    return None
