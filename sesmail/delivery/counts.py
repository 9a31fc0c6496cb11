"""How many messages came to which end, for whoever shows it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from sesmail import counters

_ends = counters.Counter(
    "sesmail_sorted_total",
    "Messages of SES that were sorted, by how that ended: done, held, gone, ignored, or later for a try that comes again.",
    ("end",),
)


class Counts:
    """Counts since the start. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, what: str) -> None:
        """One more of these, such as ``done``, ``held``, ``gone``, ``later``."""
        with self._lock:
            self._counts[what] += 1
        _ends.add(what)

    def so_far(self) -> Mapping[str, int]:
        """A copy; what never happened is not in it."""
        with self._lock:
            return dict(self._counts)
