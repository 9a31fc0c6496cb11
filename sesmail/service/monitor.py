"""The door for monitoring put together from the configuration: listeners of its own, figures, and whether all is well."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from typing import Any

from sesmail import counters
from sesmail.assembly.needs import Question, questions
from sesmail.assembly.stores import StoreOf
from sesmail.config.monitoring import MonitorListener
from sesmail.config.table import Config
from sesmail.counters import Snapshot
from sesmail.protocols.limits import Connections
from sesmail.service.certificates import CertificateStore
from sesmail.service.listeners import BadEndpoint, Listener
from sesmail.service.readiness import Readiness
from sesmail.web.exposition import is_there
from sesmail.web.monitordoor import MonitorDoor
from sesmail.web.site import Site

_log = logging.getLogger(__name__)

# Those who ask are few, and must not take what mail programs need.
CONNECTIONS = 64


def readiness(config: Config, reactor: Any, store_of: StoreOf, more: Mapping[str, Question] = {}) -> Readiness:
    """What answers /readyz, to `more` questions too; it must run while the door is used. Raises ConfigError."""
    end, given = ExitStack(), config.monitor
    asked = {**more, **questions(config, store_of, end)}
    return Readiness(asked, reactor, seconds=given.ready_seconds, timeout=given.ready_timeout, end=end)


def monitor_doors(
    config: Config,
    reactor: Any,
    ready: Readiness,
    store: CertificateStore | None,
    figures: Callable[[], Snapshot] = counters.snapshot,
) -> Iterator[tuple[Listener, Site]]:
    """Every listener of section monitor; `figures` gives what /metrics shows. Raises BadEndpoint."""
    given = config.monitor
    if given.listeners and not is_there():
        _log.warning("/metrics answers nothing: prometheus-client is not installed")
    door = MonitorDoor(figures if is_there() else None, ready.now, ready.needs, trusted(given.clients))
    connections = Connections(CONNECTIONS, CONNECTIONS)
    for one in given.listeners:
        site = Site(door, connections, clock=reactor)
        yield _listener(one, site, reactor, store), site


def trusted(networks: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a peer may see everything: one of this machine, or of these networks."""
    known = [ip_network(one) for one in networks]

    def trusts(peer: str) -> bool:
        if peer == "unix":
            return True
        address = ip_address(peer)
        return address.is_loopback or any(address in network for network in known)

    return trusts


def _listener(one: MonitorListener, site: Site, reactor: Any, store: CertificateStore | None) -> Listener:
    try:
        return Listener(
            reactor, one.endpoint, site, tls=store if one.tls == "implicit" else None, trusted=one.trusted, mode="660"
        )
    except BadEndpoint as error:
        error.option = "monitor.listeners"
        raise
