"""The listening sockets of all workers: the parent opens and keeps them, so that what waits in them survives any worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import ServerFactory

from sesmail.errors import Unavailable
from sesmail.service.crew.desk import Handed, Seat
from sesmail.service.listeners import endpoint, listen_now

_log = logging.getLogger(__name__)


class Wanted:
    """See listeners.Endpoints: makes endpoints and remembers them by what describes them."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.endpoints: dict[str, IStreamServerEndpoint] = {}

    def __call__(self, description: str, group: str | None, mode: str) -> IStreamServerEndpoint:
        self.endpoints[description] = made = endpoint(self._reactor, description, group, mode)
        return made


class Sockets:
    """See desk.Service. Each worker may ask for the socket of a description; none of them can end it for the others."""

    def __init__(self) -> None:
        self._ports: dict[str, Any] = {}
        self.calls: dict[str, tuple[Callable[..., object], tuple[type, ...]]] = {"socket": (self._hand, (str,))}

    def gone(self, seat: Seat) -> None:
        """See desk.Service: a worker holds nothing that is ours."""

    def open(self, wanted: Mapping[str, IStreamServerEndpoint]) -> list[str]:
        """Open those that are not open yet, all or none, and return which. Raises Unavailable, in words for the admin."""
        opened: list[str] = []
        try:
            for description in wanted.keys() - self._ports.keys():
                self._ports[description] = _opened(wanted[description])
                opened.append(description)
        except (CannotListenError, OSError) as error:
            self.close(opened)
            raise Unavailable(f"cannot listen on {description}: {getattr(error, 'socketError', error)}") from error
        for description in opened:
            _log.info("listening on %s", description)
        return opened

    def keep(self, wanted: Mapping[str, IStreamServerEndpoint]) -> None:
        """Close those that nobody wants any more."""
        self.close(list(self._ports.keys() - wanted.keys()))

    def close(self, descriptions: list[str] | None = None) -> Deferred[Any]:
        """Close these, or all of them, for the workers too: whoever connects from now on is refused."""
        closing = list(self._ports) if descriptions is None else descriptions
        return gatherResults([maybeDeferred(self._ports.pop(one).stopListening) for one in closing])

    def _hand(self, seat: Seat, description: str) -> Handed:
        port = self._ports.get(description)
        if port is None:
            raise Unavailable("there is no such socket")
        return Handed(None, [port.fileno()])


def _opened(end: IStreamServerEndpoint) -> IListeningPort:
    port: Any = listen_now(end, _Nobody())
    # The kernel goes on queueing connections, and the workers take them from there.
    port.stopReading()
    return port  # type: ignore[no-any-return]


class _Nobody(ServerFactory):
    noisy = False
