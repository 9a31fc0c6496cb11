"""What there is once for all processes of a gateway, however many there are."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sesmail.assembly.couriers import pace_of
from sesmail.auth.logindelay import Delayed, LoginDelay
from sesmail.auth.throttle import Limits, Throttle, Throttled
from sesmail.config.table import Config
from sesmail.protocols.limits import Connections, Counted
from sesmail.relay.hourly import Hourly, Spent
from sesmail.relay.rate import Paced
from sesmail.relay.schedule import Due, Schedule
from sesmail.service.listeners import Endpoints
from sesmail.storage.lock import HostLock, ProcessLock


@dataclass(frozen=True)
class Shared:
    """One object of each for all sessions of the gateway, in whichever process they are.

    `first`: this process alone tries messages of the spool again, collects mail, and serves the page. `schedule` knows when messages are
    due: in the first process all, in others it tells the first. `spool_held`: another process of this gateway holds
    the lock of the spool. `rescheduled` has a function called when another process has changed `schedule`. `gateway` is a random word that no other gateway has.
    """

    connections: Counted
    throttle: Throttled
    login_delay: Delayed | None
    lock: HostLock
    gateway: str
    pace: Paced
    hourly: Spent | None
    schedule: Due
    rescheduled: Callable[[Callable[[], None]], None] = lambda changed: None
    spool_held: bool = False
    first: bool = True
    endpoints: Endpoints | None = None
    """Who opens listening sockets, where this process does not."""


def alone(config: Config, reactor: Any) -> Shared:
    """For a gateway of one process; and what the parent of several keeps for them."""
    auth, limits = config.auth, config.limits
    free = Limits(auth.throttle_account, auth.throttle_address, auth.throttle_wait, auth.throttle_longest)
    now: Callable[[], float] = reactor.seconds
    return Shared(
        connections=Connections(limits.connections, limits.connections_per_address),
        throttle=Throttle(free, now),
        login_delay=LoginDelay(config.pop3.login_delay, now) if config.pop3.login_delay else None,
        lock=ProcessLock(config.mailboxes.lock_idle),
        gateway=secrets.token_hex(16),
        pace=pace_of(config),
        hourly=Hourly(config.submission.account_rate, now) if config.submission.account_rate else None,
        schedule=Schedule(),
    )
