"""What workers share: kept by the desk of their parent, used by them over the line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sesmail.errors import Unavailable
from sesmail.relay.schedule import Due
from sesmail.service.crew.connections import DeskConnections, LineConnections
from sesmail.service.crew.desk import Seat, SeatCalls, Service
from sesmail.service.crew.line import Calls
from sesmail.service.crew.locks import DeskLocks, LineLock
from sesmail.service.crew.logins import DeskLogins, LineDelay, LineThrottle
from sesmail.service.crew.mail import FIRST, DeskMail, LineSchedule, first_schedule
from sesmail.service.crew.orders import Orders
from sesmail.service.crew.sending import DeskHourly, DeskPace, LineHourly, LinePace
from sesmail.service.shared import Shared


def kept(shared: Shared) -> Sequence[Service]:
    """What the desk of the parent serves of what is in `shared`."""
    services: list[Service] = [
        DeskConnections(shared.connections),
        DeskLogins(shared.throttle, shared.login_delay),
        DeskLocks(),
        DeskPace(shared.pace),
        DeskMail(time.time),
        _Facts(shared),
    ]
    if shared.hourly is not None:
        services.append(DeskHourly(shared.hourly))
    return services


def over(number: int, reactor: Any, line: Calls, orders: Orders) -> Shared:
    """What the worker of this number has of that. Raises Unavailable."""
    facts = _facts(line)
    schedule: Due = LineSchedule(line)
    first = number == FIRST
    more: dict[str, Any] = {}
    if first:
        schedule, more["rescheduled"] = first_schedule(line, orders)
    return Shared(
        connections=LineConnections(line),
        throttle=LineThrottle(line),
        login_delay=LineDelay(line) if facts.login_delay else None,
        lock=LineLock(facts.idle, line, orders, reactor),
        gateway=facts.gateway,
        pace=LinePace(line),
        hourly=LineHourly(line) if facts.hourly else None,
        schedule=schedule,
        spool_held=True,
        first=first,
        **more,
    )


@dataclass(frozen=True)
class _Known:
    gateway: str
    idle: float
    login_delay: bool
    hourly: bool


class _Facts:
    """See desk.Service: what a worker must know before it serves."""

    def __init__(self, shared: Shared) -> None:
        facts = [shared.gateway, shared.lock.idle, shared.login_delay is not None, shared.hourly is not None]
        self.calls: SeatCalls = {"shared": (lambda seat: facts, ())}

    def gone(self, seat: Seat) -> None:
        """See desk.Service. There is nothing to have."""


def _facts(line: Calls) -> _Known:
    match line.call("shared"):
        case [str(gateway), (int() | float()) as idle, bool(login_delay), bool(hourly)]:
            return _Known(gateway, float(idle), login_delay, hourly)
    raise Unavailable(cause="the parent process does not say what is shared")
