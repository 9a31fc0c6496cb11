"""A maildrop as POP3 sees it: numbers that stay, marks that only QUIT makes real."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, overload

from twisted.internet.defer import Deferred
from twisted.mail import pop3
from zope.interface import implementer

from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.interfaces import Maildrop

SLICE = 1000
IN_MEMORY = 1024 * 1024


@dataclass(frozen=True)
class Removal:
    """What became of the messages that a session wanted gone."""

    removed: Sequence[int]
    remaining: Sequence[int]


@implementer(pop3.IMailbox)
class PopMailbox:
    """One session's maildrop with the session's delete marks. Messages are counted from 0.

    Our own server uses the plain methods. Those of `pop3.IMailbox` are the same for anything else that speaks Twisted's
    interface; they raise ValueError where it wants that.
    """

    # No __len__: Twisted takes a mailbox that is false (an empty one would be) for "not logged in".

    def __init__(self, maildrop: Maildrop) -> None:
        self.maildrop = maildrop
        self.marks: set[int] = set()
        self._all_octets: int | None = None

    def octets(self, index: int) -> int:
        """Octets of a message that exists and is not marked. Raises NoSuchMessage."""
        self._check(index)
        return self.maildrop.octets(index)

    def uidl(self, index: int) -> bytes:
        """The unique id of a message that exists and is not marked. Raises NoSuchMessage."""
        self._check(index)
        return self.maildrop.uidl(index)

    def mark(self, index: int) -> None:
        """Mark a message as deleted. Raises NoSuchMessage, also when it is marked already."""
        self._check(index)
        self.marks.add(index)

    def unmark_all(self) -> None:
        """Take back every mark."""
        self.marks.clear()

    async def totals(self, pause: Callable[[], Awaitable[None]]) -> tuple[int, int]:
        """Count and octets of the messages that are not marked; `pause` is awaited between slices of a big maildrop."""
        if self._all_octets is None:
            total = 0
            for start in range(0, len(self.maildrop), SLICE):
                if start:
                    await pause()
                total += sum(map(self.maildrop.octets, range(start, min(start + SLICE, len(self.maildrop)))))
            self._all_octets = total
        marked = sum(map(self.maildrop.octets, self.marks))
        return len(self.maildrop) - len(self.marks), self._all_octets - marked

    async def update(self) -> Removal:
        """Remove the marked messages and those past their retention.

        What is returned as removed is durably gone. `remaining` names marked messages alone: nobody waits for the expired
        ones, and the next session tries them again. Raises Unavailable when a marked message could not even be asked for.
        """
        expired = [index for index in self.maildrop.expired() if index not in self.marks]
        doomed = sorted(self.marks) + expired
        if not doomed:
            return Removal((), ())
        left = set(await self.maildrop.remove(doomed))
        return Removal([index for index in doomed if index not in left], sorted(left & self.marks))

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self.maildrop):
            raise NoSuchMessage
        if index in self.marks:
            raise NoSuchMessage("message is deleted")

    @overload
    def listMessages(self) -> list[int]: ...

    @overload
    def listMessages(self, i: int) -> int: ...

    def listMessages(self, i: int | None = None) -> int | list[int]:
        """Sizes in octets, 0 for a marked message."""
        if i is None:
            return [self._size(index) for index in range(len(self.maildrop))]
        return self._size(self._existing(i))

    def _size(self, index: int) -> int:
        return 0 if index in self.marks else self.maildrop.octets(index)

    def _existing(self, index: int) -> int:
        if not 0 <= index < len(self.maildrop):
            raise ValueError("no such message")
        return index

    def getMessage(self, index: int) -> Deferred[IO[bytes]]:
        """A file of the message with lines that end in LF, which Twisted's own POP3 server turns into CRLF."""
        return Deferred.fromCoroutine(self._file(self._existing(index)))

    async def _file(self, index: int) -> IO[bytes]:
        file: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        body = await self.maildrop.open(index, skip=self.marks)
        try:
            carried = b""
            while piece := await body.read():
                piece = carried + piece
                carried = b"\r" if piece.endswith(b"\r") else b""
                file.write(piece[: len(piece) - len(carried)].replace(b"\r\n", b"\n"))
            file.write(carried)
        finally:
            body.close()
        file.seek(0)
        return file

    def getUidl(self, index: int) -> bytes:
        """The unique id, of marked messages too."""
        return self.maildrop.uidl(self._existing(index))

    def deleteMessage(self, index: int) -> None:
        """Mark a message."""
        if index in self.marks:
            raise ValueError("message is deleted")
        self.marks.add(self._existing(index))

    def undeleteMessages(self) -> None:
        """Take back every mark."""
        self.unmark_all()

    def sync(self) -> Deferred[None]:
        """Remove what is marked; fires when that is durable, with Unavailable when some messages remain."""
        return Deferred.fromCoroutine(self._sync())

    async def _sync(self) -> None:
        removal = await self.update()
        if removal.remaining:
            raise Unavailable("some deleted messages not removed")
