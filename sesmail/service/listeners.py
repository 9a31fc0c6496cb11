"""Ports and sockets: where bytes come in, what is wrapped around them, and the end of the service when one is taken."""

from __future__ import annotations

import grp
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from sesmail.config.listeners import Listener as Listening
from sesmail.service.proxied import ProxiedFactory
from sesmail.service.unixsockets import UnixSockets

_log = logging.getLogger(__name__)

_PROXIED = "haproxy:"
# Connections that the kernel keeps until they are accepted, as far as it lets us. Twisted's 50 are fewer than come at once when
# a line is back: the others would try again after one second, then after three, then seven.
BACKLOG = 1024
_QUEUED = frozenset({"tcp", "tcp6", "unix"})
_MAYBE_UNIX = frozenset({"unix", "systemd"})


Endpoints: TypeAlias = Callable[[str, str | None, str], IStreamServerEndpoint]
"""Makes an endpoint of a description without ``haproxy:``, and of group and mode of a UNIX socket. Raises BadEndpoint."""


class BadEndpoint(Exception):
    """An endpoint string that names nothing to listen on. `option`: where in the configuration it stands."""

    option = ""


class CannotListen(Exception):
    """The socket `name` is taken, or may not be had."""

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(f"cannot listen on {name}: {reason}")
        self.name = name


class Listener(Service):
    """Listens on one endpoint from before privileges are given up until the service stops.

    `description` is an endpoint string of Twisted; in front of it ``haproxy:`` means that connections begin with a PROXY
    header and come only from `trusted` addresses. `tls`: the connection begins with TLS, inside of PROXY. `group` and `mode` are those
    of a UNIX socket, where the description does not say the mode. `endpoints`: who opens the socket, else this process does.
    Raises BadEndpoint.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        description: str,
        factory: IProtocolFactory,
        *,
        tls: IOpenSSLServerConnectionCreator | None = None,
        trusted: Iterable[str] = (),
        group: str | None = None,
        mode: str = "666",
        endpoints: Endpoints | None = None,
    ) -> None:
        self.setName(description)
        if tls is not None:
            factory = _quiet(TLSMemoryBIOFactory(tls, False, factory))
        if description.startswith(_PROXIED):
            factory = ProxiedFactory(factory, trusted, reactor)
        self._factory = factory
        endpoints = endpoints or partial(endpoint, reactor)
        self._endpoint = endpoints(description.removeprefix(_PROXIED), group, mode)
        self._port: IListeningPort | None = None

    @property
    def address(self) -> IAddress:
        """Where it listens, once it does."""
        if self._port is None:
            raise RuntimeError("not listening")
        return self._port.getHost()

    def open(self) -> None:
        """Listen. Raises CannotListen."""
        try:
            self._port = listen_now(self._endpoint, self._factory)
        except (CannotListenError, OSError) as error:
            raise CannotListen(str(self.name), getattr(error, "socketError", error)) from error
        _log.info("listening on %s", self.name)

    def shut(self) -> Deferred[None]:
        """Listen no longer; `open` may follow."""
        port, self._port = self._port, None
        stopped = port.stopListening() if port is not None else None
        return stopped or succeed(None)

    def take(self, other: Listener) -> None:
        """Listen on what `other` listens on, which does so no longer: who connects from now on is served here, and nobody is refused."""
        port: Any = other._port
        self._factory.doStart()
        port.factory = self._factory
        other._factory.doStop()
        self._port, other._port = port, None

    def privilegedStartService(self) -> None:
        """Raises SystemExit, having logged one line, when the port is taken or may not be had."""
        super().privilegedStartService()
        if self._port is not None:
            return
        try:
            self.open()
        except CannotListen as error:
            # A service that runs without its ports would look healthy to everything but its users.
            _log.critical("%s", error)
            raise SystemExit(1) from None

    def startService(self) -> None:
        if self._port is None:
            self.privilegedStartService()
        super().startService()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self.shut()


def listener(
    option: str,
    one: Listening,
    factory: IProtocolFactory,
    reactor: Any,
    store: IOpenSSLServerConnectionCreator | None,
    **socket: Any,
) -> Listener:
    """That of an entry of `option`, with the certificates of `store` where TLS begins at once; `socket` is for Listener. Raises
    BadEndpoint."""
    tls = store if one.tls == "implicit" else None
    try:
        return Listener(reactor, one.endpoint, factory, tls=tls, trusted=one.trusted, **socket)
    except BadEndpoint as error:
        error.option = option
        raise


def endpoint(reactor: IReactorTime, description: str, group: str | None, mode: str) -> IStreamServerEndpoint:
    """See Endpoints: opened by this process."""
    kind = description.partition(":")[0]
    try:
        listening: Any = UnixSockets(reactor, _group(group)) if kind in _MAYBE_UNIX else reactor
        made: IStreamServerEndpoint = serverFromString(listening, _completed(description, kind, mode))
    except (ValueError, LookupError, TypeError) as error:
        raise BadEndpoint(f"{description}: {error}") from error
    return made


def _group(name: str | None) -> int | None:
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise LookupError(f"there is no group {name}") from None


def _completed(description: str, kind: str, mode: str) -> str:
    if kind in _QUEUED and ":backlog=" not in description:
        description += f":backlog={BACKLOG}"
    if kind == "unix" and ":mode=" not in description:
        description += f":mode={mode}"
    return description


def listen_now(end: IStreamServerEndpoint, factory: IProtocolFactory) -> IListeningPort:
    """Raises CannotListenError, OSError."""
    outcome: list[IListeningPort | Failure] = []
    listening = end.listen(factory)
    listening.addBoth(outcome.append)
    if not outcome:
        listening.cancel()
        raise CannotListenError(None, None, "the endpoint does not listen at once")
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


def _quiet(factory: TLSMemoryBIOFactory) -> TLSMemoryBIOFactory:
    factory.noisy = False
    return factory
