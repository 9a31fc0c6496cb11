"""A worker's side of the sockets: endpoints on what the parent has opened, shared with all other workers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

from sesmail.errors import MailError
from sesmail.service.crew.line import Line
from sesmail.service.listeners import Endpoints
from sesmail.service.unixsockets import LentPort


def inherited(reactor: Any, line: Line) -> Endpoints:
    """Endpoints on the sockets of the parent at the other end of the line."""

    def endpoint(description: str, group: str | None, mode: str) -> IStreamServerEndpoint:
        return _Inherited(reactor, lambda: line.fetch("socket", description)[0])

    return endpoint


@implementer(IStreamServerEndpoint)
class _Inherited:
    """`fetch` gives a descriptor of the listening socket, ours from then on."""

    def __init__(self, reactor: Any, fetch: Callable[[], int]) -> None:
        self._reactor = reactor
        self._fetch = fetch

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:  # noqa: N803
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        try:
            listening = socket.socket(fileno=self._fetch())
        except MailError as error:
            raise CannotListenError(None, None, OSError(0, error.public)) from error
        listening.setblocking(False)
        port: Any
        if listening.family == socket.AF_UNIX:
            port = _UnixPort(listening, factory, self._reactor)
        else:
            port = _TCPPort._fromListeningDescriptor(self._reactor, listening.fileno(), listening.family, factory)
            listening.close()
        port.startListening()
        return port  # type: ignore[no-any-return]


class _OneAtATime:
    """Takes one connection and lets the other workers have the next: one who takes all that wait is given all the load."""

    numberAccepts: int  # noqa: N815

    def doRead(self) -> None:
        # Twisted's own number grows with what it finds.
        self.numberAccepts = 1
        super().doRead()  # type: ignore[misc]


class _TCPPort(_OneAtATime, tcp.Port):
    pass


class _UnixPort(_OneAtATime, LentPort):
    pass
