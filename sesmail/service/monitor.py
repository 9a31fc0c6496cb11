"""The doors for monitoring put together from the configuration: listeners of their own, figures, and whether all is well."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from typing import Any

from twisted.application.service import MultiService

from sesmail import counters
from sesmail.assembly.needs import Question, questions
from sesmail.assembly.stores import StoreOf
from sesmail.config.monitoring import Monitor
from sesmail.config.table import Config
from sesmail.counters import Snapshot
from sesmail.protocols.limits import Connections
from sesmail.service.certificates import CertificateStore
from sesmail.service.explained import explained
from sesmail.service.listeners import Listener, listener
from sesmail.service.readiness import Readiness
from sesmail.service.reloading import TakeOn
from sesmail.web.exposition import is_there
from sesmail.web.monitordoor import MonitorDoor
from sesmail.web.site import Site

_log = logging.getLogger(__name__)

# Those who ask are few, and must not take what mail programs need.
CONNECTIONS = 64


class Monitoring(MultiService):
    """What is behind the doors for monitoring, made as soon as there is one. It must run while they are used.

    `figures` gives what /metrics shows; /readyz answers to `more` questions too. Raises ConfigError.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        store_of: StoreOf,
        figures: Callable[[], Snapshot] = counters.snapshot,
        more: Mapping[str, Question] = {},
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._store_of = store_of
        self._figures = figures
        self._more = more
        self._connections = Connections(CONNECTIONS, CONNECTIONS)
        self._trusts = trusted(())
        self._ready: Readiness | None = None
        self._is_used = False
        self._prepared(config)()

    async def prepare(self, config: Config) -> TakeOn:
        """See reloading.Prepare. On return `doors` may be asked for those of this configuration."""
        with explained(config):
            return self._prepared(config)

    def doors(self, config: Config, store: CertificateStore | None) -> Iterator[tuple[Listener, Site]]:
        """Every listener of section monitor; they share limits of their own. Raises BadEndpoint."""
        if self._ready is None:
            return
        figures = self._figures if is_there() else None
        door = MonitorDoor(figures, self._ready.now, self._ready.needs, lambda peer: self._trusts(peer))
        for one in config.monitor.listeners:
            site = Site(door, self._connections, clock=self._reactor)
            yield listener("monitor.listeners", one, site, self._reactor, store, mode="660"), site

    def _prepared(self, config: Config) -> TakeOn:
        given = config.monitor
        if given.listeners and not self._is_used:
            self._begin(config)

        def take_on() -> None:
            self._is_used = self._ready is not None
            self._go_by(given)

        return take_on

    def _begin(self, config: Config) -> None:
        if self._ready is not None:
            # A reload that was refused has made it, perhaps with other questions.
            self._ready.disownServiceParent()
        if not is_there():
            _log.warning("/metrics answers nothing: prometheus-client is not installed")
        end, given = ExitStack(), config.monitor
        asked = {**self._more, **questions(config, self._store_of, end)}
        self._ready = Readiness(asked, self._reactor, seconds=given.ready_seconds, timeout=given.ready_timeout, end=end)
        self._ready.setServiceParent(self)

    def _go_by(self, given: Monitor) -> None:
        self._trusts = trusted(given.clients)
        if self._ready is not None:
            self._ready.believe(given.ready_seconds, given.ready_timeout)


def trusted(networks: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a peer may see everything: one of this machine, or of these networks."""
    known = [ip_network(one) for one in networks]

    def trusts(peer: str) -> bool:
        if peer == "unix":
            return True
        address = ip_address(peer)
        return address.is_loopback or any(address in network for network in known)

    return trusts
