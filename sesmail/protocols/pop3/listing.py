"""What lies in the maildrop: STAT, LIST, UIDL, and NOOP, which asks for nothing.

Big listings are made and sent in slices, so that a maildrop of 100,000 messages does not make everybody else wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sesmail.protocols.pop3.mailbox import SLICE, PopMailbox
from sesmail.protocols.pop3.numbers import message_index
from sesmail.protocols.pop3.replies import END, ok
from sesmail.protocols.pop3.server import POP3Session

Row = Callable[[PopMailbox, int], bytes]


async def stat(session: POP3Session) -> None:
    """STAT: count and octets of the messages that are not marked."""
    count, octets = await session.mailbox.totals(session.pause)
    await session.push(ok(b"%d %d" % (count, octets)))


async def list_(session: POP3Session, word: bytes | None = None) -> None:
    """LIST, of one message or of all that are not marked."""
    if word is not None:
        await session.push(ok(_size(session.mailbox, message_index(word))))
        return
    count, octets = await session.mailbox.totals(session.pause)
    await _push_all(session, ok(b"%d messages (%d octets)" % (count, octets)), _size)


async def uidl(session: POP3Session, word: bytes | None = None) -> None:
    """UIDL, of one message or of all that are not marked."""
    if word is not None:
        await session.push(ok(_unique(session.mailbox, message_index(word))))
        return
    await _push_all(session, ok(b"unique ids follow"), _unique)


async def noop(session: POP3Session) -> None:
    """NOOP."""
    await session.push(ok())


def _size(mailbox: PopMailbox, index: int) -> bytes:
    return b"%d %d" % (index + 1, mailbox.octets(index))


def _unique(mailbox: PopMailbox, index: int) -> bytes:
    return b"%d %b" % (index + 1, mailbox.uidl(index))


async def _push_all(session: POP3Session, status: bytes, row: Row) -> None:
    slices = _slices(session.mailbox, row)
    # Made before the status, so that what cannot be listed is refused and not broken off.
    lines = next(slices, b"")
    with session.unfinished():
        for following in slices:
            await session.push(status, lines)
            await session.pause()
            status, lines = b"", following
        await session.push(status, lines, END)


def _slices(mailbox: PopMailbox, row: Row) -> Iterator[bytes]:
    count = len(mailbox.maildrop)
    for start in range(0, count, SLICE):
        numbers = range(start, min(start + SLICE, count))
        yield b"".join(row(mailbox, index) + b"\r\n" for index in numbers if index not in mailbox.marks)
