"""One end of a line on the reactor: messages come and go whole, without anybody waiting."""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from sesmail.service.crew import messages

_log = logging.getLogger(__name__)

# Messages of one end that are looked at before others have their turn, and messages that may wait for one who does not read.
_TURN = 64
MOST_WAITING = 10_000

Received = Callable[[bytes], None]


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a new line, which keeps messages apart and loses none."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@implementer(IReadWriteDescriptor)
class Channel:
    """Gives `received` each message, and calls `lost` once when the other end is gone, does not read, or was closed from here.

    `end` is a connected socket of kind SOCK_SEQPACKET, ours from now on.
    """

    def __init__(self, reactor: IReactorFDSet, end: socket.socket, received: Received, lost: Callable[[], None]) -> None:
        end.setblocking(False)
        self._reactor = reactor
        self._end = end
        self._received = received
        self._lost = lost
        self._waiting: deque[bytes] = deque()
        self._open = True
        reactor.addReader(self)

    def send(self, message: bytes) -> None:
        """Have the other end get it, in order. To a closed channel nothing is sent. One who lets MOST_WAITING messages wait is cut
        off."""
        if not self._open:
            return
        if len(self._waiting) >= MOST_WAITING:
            _log.error("a process of ours does not read what it is told, its line is cut")
            self.close()
            return
        self._waiting.append(message)
        self.doWrite()

    def hand(self, message: bytes, descriptors: Sequence[int]) -> None:
        """Have the other end get it at once, with copies of the descriptors. One who lets anything wait is cut off: they may be closed
        here by the time he reads."""
        if not self._open:
            return
        try:
            socket.send_fds(self._end, [message], descriptors)
        except OSError as error:
            _log.error("a process of ours takes no descriptors, its line is cut: %s", error.strerror)
            self.close()

    def close(self) -> None:
        """Cut it. May be called more than once."""
        if self._open:
            self._open = False
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            self._waiting.clear()
            self._end.close()
            self._lost()

    def doWrite(self) -> None:
        try:
            while self._waiting:
                self._end.send(self._waiting[0])
                self._waiting.popleft()
        except BlockingIOError:
            self._reactor.addWriter(self)
            return
        except OSError as error:
            _log.info("the line to a process of ours is broken: %s", error.strerror)
            self.close()
            return
        self._reactor.removeWriter(self)

    def doRead(self) -> None:
        for _ in range(_TURN):
            if not self._open:
                return
            try:
                message, _, flags, _ = self._end.recvmsg(messages.LONGEST)
            except BlockingIOError:
                return
            except OSError as error:
                _log.info("the line to a process of ours is broken: %s", error.strerror)
                message, flags = b"", 0
            if not message or flags & socket.MSG_TRUNC:
                self.close()
                return
            self._received(message)

    def fileno(self) -> int:
        return self._end.fileno()

    def logPrefix(self) -> str:
        return "crew"

    def connectionLost(self, reason: Failure) -> Any:
        self.close()
