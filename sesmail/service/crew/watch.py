"""What workers tell of themselves: by what configuration they serve, that they are alive, and what they have counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sesmail import counters
from sesmail.counters import Gauge, Snapshot
from sesmail.errors import Malformed, Unavailable
from sesmail.service.crew.desk import Seat
from sesmail.service.crew.member import Member

_log = logging.getLogger(__name__)

# Looks without a beat. A worker that begins has more to do than one that serves.
BEGINS = 120

_running = Gauge("sesmail_workers", "Workers that serve.")


class Watch:
    """See desk.Service. `look` is to be called every second; a worker that is silent for more than `patience` looks is killed.

    `changed` is called when a worker says that it serves by another configuration.
    """

    def __init__(self, members: Sequence[Member], patience: float, changed: Callable[[], None]) -> None:
        self._members = members
        self._patience = patience
        self._changed = changed
        self._seen: dict[Seat, Snapshot] = {}
        self._past: Snapshot = {}
        self.calls: dict[str, tuple[Callable[..., object], tuple[type, ...]]] = {
            "beat": (self._beat, (dict,)),
            "serving": (self._serving, (int,)),
        }
        self.stop = _running.read(lambda: sum(member.serves for member in members))

    def gone(self, seat: Seat) -> None:
        """See desk.Service: what it has counted is not forgotten."""
        if seat in self._seen:
            self._past = counters.merged([self._past, counters.lasting(self._seen.pop(seat))])

    def look(self) -> None:
        """Count looks, not seconds: after a stop of this process itself, all workers would seem to have been silent."""
        for member in self._members:
            member.silent += 1
            if member.silent > (self._patience if member.serves else max(BEGINS, self._patience)):
                _log.error("worker %d has been silent for %d seconds and is killed", member.number, member.silent)
                member.silent = 0
                member.kill()

    def snapshots(self) -> Iterator[Snapshot]:
        """What this process, all workers, and those that have ended before them have counted, to be merged."""
        yield self._past
        yield from self._seen.values()
        yield counters.snapshot()

    def ask(self) -> None:
        """Raises Unavailable when no worker serves."""
        if not any(member.serves for member in self._members):
            raise Unavailable("no worker serves")

    def _beat(self, seat: Seat, snapshot: dict[str, Any]) -> None:
        self._member(seat).silent = 0
        self._seen[seat] = snapshot

    def _serving(self, seat: Seat, edition: int) -> None:
        member = self._member(seat)
        member.silent = 0
        if edition > member.edition:
            member.edition = edition
            _log.info("worker %d serves", member.number)
            self._changed()

    def _member(self, seat: Seat) -> Member:
        for member in self._members:
            if member.seat is seat:
                return member
        raise Malformed("there is no such worker")
