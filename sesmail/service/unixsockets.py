"""UNIX sockets: whose they are and who may connect is settled before anybody can, and what a dead process left is no hindrance.

Twisted's own lock is a file with a process id in it; in a container that id is soon another process's, and the socket is refused for
ever. It also has no word for a group. A socket that it gets from systemd it opens to everybody, and removes at the end.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

LOCK_SECONDS = 5.0
_NOBODY_ELSE = 0o600


class UnixSockets:
    """Stands in for the reactor where Twisted makes an endpoint of ``unix:`` or ``systemd:``. `group`: the id of the sockets' group."""

    def __init__(self, reactor: Any, group: int | None = None) -> None:
        self._reactor = reactor
        self._group = group

    def listenUNIX(
        self, address: str, factory: IProtocolFactory, backlog: int = 50, mode: int = 0o666, **_: object
    ) -> IListeningPort:
        """Listen at this path. A socket there on which nobody listens is replaced. Raises CannotListenError for any other file and for
        a socket that is in use, OSError."""
        with _locked(os.path.dirname(address) or "."):
            _make_way(address)
            port: IListeningPort = self._reactor.listenUNIX(address, factory, backlog, _NOBODY_ELSE, False)
            try:
                self._open(address, mode)
            except OSError:
                port.stopListening()
                raise
        return port

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory) -> IListeningPort:  # noqa: N803
        """Listen on a socket that was made by whoever started us."""
        if addressFamily != socket.AF_UNIX:
            adopted: IListeningPort = self._reactor.adoptStreamPort(fileDescriptor, addressFamily, factory)
            return adopted
        port = LentPort(socket.socket(fileno=os.dup(fileDescriptor)), factory, self._reactor)
        port.startListening()
        return port

    def _open(self, address: str, mode: int) -> None:
        # Until the last of these only we may connect.
        if self._group is not None:
            _give(address, self._group)
        os.chmod(address, mode)


class LentPort(unix.Port):
    """A port on a socket whose file, mode and end are somebody else's. `listening` is our descriptor of it, closed at the end."""

    # A shutdown would end the socket for everybody who has it, and for good.
    _shouldShutdown = False  # noqa: N815

    def __init__(self, listening: socket.socket, factory: IProtocolFactory, reactor: Any) -> None:
        super().__init__(os.fsencode(listening.getsockname()), factory, reactor=reactor)
        self._served = factory
        self._listening = listening

    def startListening(self) -> None:
        self._served.doStart()
        self._listening.setblocking(False)
        self.socket = self._listening
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.numberAccepts = 100
        self.connected = True
        self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        tcp.Port.connectionLost(self, reason)


def _make_way(path: str) -> None:
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise CannotListenError(None, path, OSError(errno.EEXIST, "there is a file of that name, and it is no socket"))
    if _is_in_use(path):
        raise CannotListenError(None, path, OSError(errno.EADDRINUSE, "another process listens on this socket"))
    os.unlink(path)


def _is_in_use(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        found = probe.connect_ex(path)
    if found in (errno.ECONNREFUSED, errno.ENOENT):
        return False
    # EAGAIN: so many wait to be accepted that there is no room for another one.
    if found in (0, errno.EAGAIN):
        return True
    raise OSError(found, os.strerror(found), path)


def _give(path: str, group: int) -> None:
    try:
        os.chown(path, -1, group, follow_symlinks=False)
    except PermissionError as error:
        raise PermissionError(
            error.errno, f"may not give it to group {group}: this user has to be in that group", path
        ) from error


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Others that start meanwhile wait, so that each sees what the one before it did."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + LOCK_SECONDS
        while not _lock(fd):
            if time.monotonic() > until:
                raise CannotListenError(None, folder, OSError(errno.EAGAIN, "another process has locked the folder"))
            time.sleep(0.01)
        yield
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
