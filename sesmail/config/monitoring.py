"""The options of what monitoring asks: figures, and whether the gateway lives and is ready. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.kinds import Entry, ListOf, choice, duration
from sesmail.config.listeners import Listener
from sesmail.config.locations import NETWORK
from sesmail.config.option import option


@dataclass(frozen=True, kw_only=True)
class MonitorListener(Listener):
    """One port or socket on which monitoring asks."""

    tls: str = option(
        choice("implicit", "none"), "none", "implicit: HTTPS; none: plain HTTP, for there are no secrets in what it says."
    )


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """What monitoring asks by HTTP: /metrics for Prometheus, /healthz (does it live), /readyz (does it reach all it needs)."""

    listeners: tuple[MonitorListener, ...] = option(
        ListOf(Entry(MonitorListener, "listener")), (), "Where monitoring connects; none unless given."
    )
    clients: tuple[str, ...] = option(
        ListOf(NETWORK),
        (),
        "Networks that may see figures and reasons; this machine always may, and others learn from /healthz and /readyz yes or no.",
    )
    ready_seconds: float = option(duration(0.1, 3600), "15", "How long the answers behind /readyz are believed.")
    ready_timeout: float = option(
        duration(0.1, 60), "5", "Longest wait for each of S3, SES, the table and the disk, which are asked at the same time."
    )
