"""How messages go: DELE marks, RSET takes marks back, QUIT alone makes them real (RFC 1939 sections 5 and 6)."""

from __future__ import annotations

from sesmail.counters import Counter
from sesmail.errors import Unavailable
from sesmail.log import fate
from sesmail.protocols.failures import known
from sesmail.protocols.pop3.mailbox import SLICE, Removal
from sesmail.protocols.pop3.numbers import message_index
from sesmail.protocols.pop3.replies import ok, refusal
from sesmail.protocols.pop3.server import POP3Session, State

_deleted = Counter("sesmail_pop3_deleted_total", "Messages that QUIT removed.")
_remained = Counter("sesmail_pop3_not_deleted_total", "Messages that QUIT was to remove, and that the store kept.")

_NOT_ALL = Unavailable("some deleted messages not removed")


async def dele(session: POP3Session, word: bytes) -> None:
    """DELE: mark one message."""
    session.mailbox.mark(message_index(word))
    await session.push(ok(b"marked"))


async def rset(session: POP3Session) -> None:
    """RSET: take back all marks."""
    session.mailbox.unmark_all()
    await session.push(ok(b"marks taken back"))


async def quit_(session: POP3Session) -> None:
    """QUIT: remove what is marked, let go of the maildrop, then answer with what came of it."""
    removed = session.mbox is None or await _update(session)
    session.state = State.ENDED
    # The client may come back the moment it has our answer.
    await session.leave()
    await session.push(ok(b"bye") if removed else refusal(_NOT_ALL))


async def _update(session: POP3Session) -> bool:
    wanted = session.has_marks()
    try:
        removal = await session.mailbox.update()
    except Exception as error:
        known(error)
        return not wanted
    await _log(session, removal)
    return not removal.remaining


async def _log(session: POP3Session, removal: Removal) -> None:
    maildrop = session.mailbox.maildrop
    _deleted.add(by=len(removal.removed))
    _remained.add(by=len(removal.remaining))
    for done, index in enumerate(removal.removed, start=1):
        fate("deleted", user=session.user, peer=session.peer, uidl=maildrop.uidl(index))
        if done % SLICE == 0:
            await session.pause()
