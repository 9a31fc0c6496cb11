"""When each message of the spool is due: an id and a time, all that is in memory of one that waits."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from sesmail.counters import Gauge
from sesmail.relay.record import arrival

# Old entries stay in the heap until they come up; more of them than of others, and the heap is built anew.
_STALE = 1000

_schedules: WeakSet[Schedule] = WeakSet()
_waiting = Gauge("sesmail_spool_messages", "Messages in the spool: accepted, and not yet with everybody.")
_waiting.read(lambda: sum(map(len, _schedules)))
_oldest = Gauge("sesmail_spool_oldest_seconds", "Age of the oldest message in the spool; 0 when that is empty.", over="max")
_oldest.read(lambda: max((one.age(time.time()) for one in _schedules), default=0.0))


class Due(Protocol):
    """See Schedule."""

    def __len__(self) -> int: ...
    def __contains__(self, id: str) -> bool: ...
    def promise(self, id: str, due: float) -> None: ...
    def put(self, id: str, due: float) -> None: ...
    def drop(self, id: str) -> None: ...
    def due(self, id: str) -> float | None: ...
    def next(self) -> float | None: ...
    def take(self, now: float, limit: int, again: float, busy: Callable[[str], bool]) -> list[str]: ...


class Schedule:
    """Thread-safe. Times are Unix time."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._lock = threading.Lock()
        _schedules.add(self)

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, id: str) -> bool:
        return id in self._due

    def put(self, id: str, due: float) -> None:
        """Have it come up then, and no more when it was to come up before."""
        with self._lock:
            self._put(id, due)

    def promise(self, id: str, due: float) -> None:
        """The same, for a message that comes into the spool now, and whose first attempt its own process makes before."""
        self.put(id, due)

    def drop(self, id: str) -> None:
        """It does not come up any more."""
        with self._lock:
            self._due.pop(id, None)

    def due(self, id: str) -> float | None:
        """When it comes up."""
        return self._due.get(id)

    def age(self, now: float) -> float:
        """Seconds since the oldest message came, as far as ids tell; 0.0 where there is none. Looks at all."""
        with self._lock:
            first = min(self._due, default="")
        came = arrival(first)
        return 0.0 if came is None else max(0.0, now - came)

    def next(self) -> float | None:
        """When the first one comes up."""
        with self._lock:
            self._clear()
            return self._heap[0][0] if self._heap else None

    def take(self, now: float, limit: int, again: float, busy: Callable[[str], bool]) -> list[str]:
        """Up to `limit` ids that are due and not `busy`, the longest due first. Each comes up again `again` seconds from now, unless
        it was put elsewhere or dropped by then: whoever took it may have failed."""
        taken: list[str] = []
        with self._lock:
            while len(taken) < limit:
                self._clear()
                if not self._heap or self._heap[0][0] > now:
                    break
                id = self._heap[0][1]
                self._put(id, now + again)
                if not busy(id):
                    taken.append(id)
        return taken

    def _put(self, id: str, due: float) -> None:
        self._due[id] = due
        heapq.heappush(self._heap, (due, id))
        if len(self._heap) > 2 * len(self._due) + _STALE:
            self._heap = [(due, id) for id, due in self._due.items()]
            heapq.heapify(self._heap)

    def _clear(self) -> None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
