"""RETR and TOP: a message goes out as it is read, no faster than the client takes it, and never looks whole when it is not."""

from __future__ import annotations

from collections.abc import Iterator

from sesmail.counters import Counter
from sesmail.interfaces import Body
from sesmail.log import fate
from sesmail.mail.wire import Form, Top, Wire
from sesmail.protocols.pop3.numbers import line_count, message_index
from sesmail.protocols.pop3.replies import END, ok
from sesmail.protocols.pop3.server import POP3Session

# So much is transformed and written in one go; a whole message below it leaves in one write with its status and its end.
PIECE = 256 * 1024

_retrieved = Counter("sesmail_pop3_retrieved_total", "Messages that went out whole by RETR.")
_octets = Counter("sesmail_pop3_retrieved_octets_total", "Octets of the messages that went out whole by RETR.")


async def retr(session: POP3Session, word: bytes) -> None:
    """RETR: the whole message."""
    index = message_index(word)
    octets = session.mailbox.octets(index)
    form = Wire()
    await _send(session, index, form, ok(b"%d octets" % octets), head=False)
    maildrop = session.mailbox.maildrop
    maildrop.learn(index, form.octets)
    _retrieved.add()
    _octets.add(by=form.octets)
    fate("retrieved", user=session.user, peer=session.peer, uidl=maildrop.uidl(index), octets=form.octets)


async def top(session: POP3Session, word: bytes, lines: bytes) -> None:
    """TOP: the header and so many lines of the body."""
    index, form = message_index(word), Top(line_count(lines))
    session.mailbox.octets(index)
    await _send(session, index, form, ok(b"top of message follows"), head=True)


async def _send(session: POP3Session, index: int, form: Form, status: bytes, *, head: bool) -> None:
    mailbox = session.mailbox
    body = await session.while_connected(mailbox.maildrop.open(index, head=head, skip=mailbox.marks), late=_close)
    try:
        await _pour(session, body, form, status)
    finally:
        body.close()


async def _pour(session: POP3Session, body: Body, form: Form, status: bytes) -> None:
    whole = body.whole
    # Until the status is out, a store that fails can still be called by its name.
    data = await (body.read() if whole else _read(session, body))
    with session.unfinished():
        if whole and len(data) <= PIECE:
            await session.push(status, form.feed(data), form.finish(), END)
            return
        while data:
            for piece in _pieces(data):
                await session.push(status, form.feed(piece))
                status = b""
            data = b"" if whole or form.done else await _read(session, body)
        await session.push(status, form.finish(), END)


async def _read(session: POP3Session, body: Body) -> bytes:
    return await session.while_connected(body.read(), late=len)


def _close(body: Body) -> None:
    body.close()


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))
