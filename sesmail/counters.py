"""Counters, gauges and histograms: declared beside the code that moves them, read together as one snapshot.

A name is in one process one thing, with one sentence of help. Label values are words of ours, never of a client: a name of a user or of
a message would make as many series as there are names. What comes beyond `bound` series is counted under ``other`` all the same.
All of it is thread-safe and costs about a microsecond.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

_log = logging.getLogger(__name__)

Labels: TypeAlias = tuple[str, ...]
Snapshot: TypeAlias = dict[str, dict[str, Any]]
"""Families by name, of what JSON can say: ``kind``, ``help``, ``labels``, ``over``, ``buckets`` (upper bounds) and ``values``, pairs
of label values and a number; for a histogram the count of each bucket, of what is above all of them, and the sum."""

Source: TypeAlias = Callable[[], float | Mapping[Labels, float]]

BOUND = 100
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds for what takes as long as a question to AWS does."""

_OTHER = "other"
_family_of: dict[str, Any] = {}


class _Family:
    kind = ""

    def __init__(self, name: str, help: str, labels: Sequence[str] = (), *, over: str = "sum", bound: int = BOUND) -> None:
        if name in _family_of:
            raise ValueError(f"{name} is there already")
        self.name = name
        self.help = help
        self.labels = tuple(labels)
        self.over = over
        self._bound = bound
        self._lock = threading.Lock()
        _family_of[name] = self

    def forget(self) -> None:
        """Leave the snapshots; the name may be given again."""
        _family_of.pop(self.name, None)

    def family(self) -> dict[str, Any]:
        """What a snapshot says of it."""
        layout = {"kind": self.kind, "help": self.help, "labels": list(self.labels), "over": self.over}
        return {**layout, "values": [[list(labels), value] for labels, value in self._values()]}

    def _values(self) -> Iterable[tuple[Labels, Any]]:
        raise NotImplementedError

    def _room(self, labels: Labels, known: Mapping[Labels, object]) -> Labels:
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {labels}")
        return labels if len(known) < self._bound else (_OTHER,) * len(labels)


class Counter(_Family):
    """Counts what has happened since the process began. Its name ends in ``_total``. Without labels it begins at 0; with labels a
    series that alerts look at should be there before anything happens: see `expect`."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: Sequence[str] = (), *, bound: int = BOUND) -> None:
        super().__init__(name, help, labels, bound=bound)
        self._counts: dict[Labels, float] = {} if labels else {(): 0}

    def expect(self, *series: str | Labels) -> None:
        """Show these series, by their label values, from the beginning: a rate cannot see the first step of one that was not there."""
        with self._lock:
            for labels in series:
                self._counts.setdefault((labels,) if isinstance(labels, str) else labels, 0)

    def add(self, *labels: str, by: float = 1) -> None:
        """Count one more, or `by` more."""
        with self._lock:
            counts = self._counts
            if labels not in counts:
                labels = self._room(labels, counts)
                counts.setdefault(labels, 0)
            counts[labels] += by

    def count(self, *labels: str) -> float:
        """How many there are by now."""
        with self._lock:
            return self._counts.get(labels, 0)

    def _values(self) -> Iterable[tuple[Labels, float]]:
        with self._lock:
            return sorted(self._counts.items())


class Gauge(_Family):
    """What is so at this moment, asked of sources when a snapshot is made. `over` says what several sources, and several processes, make
    together: ``sum``, ``max`` or ``min``. A source is quick, never blocks, and returns a number, or numbers by label values."""

    kind = "gauge"

    def __init__(self, name: str, help: str, labels: Sequence[str] = (), *, over: str = "sum", bound: int = BOUND) -> None:
        super().__init__(name, help, labels, over=over, bound=bound)
        self._sources: list[Source] = []

    def read(self, source: Source) -> Callable[[], None]:
        """Ask `source` from now on, until what is returned is called."""
        with self._lock:
            self._sources.append(source)
        return lambda: self._leave(source)

    def _leave(self, source: Source) -> None:
        with self._lock:
            if source in self._sources:
                self._sources.remove(source)

    def _values(self) -> Iterable[tuple[Labels, float]]:
        with self._lock:
            sources = list(self._sources)
        together = _TOGETHER[self.over]
        values: dict[Labels, float] = {}
        for source in sources:
            for labels, value in self._said(source).items():
                if labels not in values:
                    labels = self._room(labels, values)
                values[labels] = together((values[labels], value)) if labels in values else value
        return sorted(values.items())

    def _said(self, source: Source) -> Mapping[Labels, float]:
        try:
            said = source()
        except Exception:
            # The other figures are worth as much without this one.
            _log.exception("%s could not be read", self.name)
            return {}
        return said if isinstance(said, Mapping) else {(): said}


class Histogram(_Family):
    """How long things took, or how large they were, by upper bounds of buckets."""

    kind = "histogram"

    def __init__(
        self, name: str, help: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS, bound: int = BOUND
    ) -> None:
        super().__init__(name, help, labels, bound=bound)
        self._buckets = tuple(buckets)
        self._counts: dict[Labels, list[float]] = {} if labels else {(): self._none()}

    def observe(self, value: float, *labels: str) -> None:
        """One more took this long."""
        with self._lock:
            counts = self._counts.get(labels)
            if counts is None:
                counts = self._counts.setdefault(self._room(labels, self._counts), self._none())
            counts[bisect_left(self._buckets, value)] += 1
            counts[-1] += value

    @contextmanager
    def time(self, *labels: str) -> Iterator[None]:
        """Observe how long the block took, if it comes to its end."""
        began = time.monotonic()
        yield
        self.observe(time.monotonic() - began, *labels)

    def family(self) -> dict[str, Any]:
        return {**super().family(), "buckets": list(self._buckets)}

    def _none(self) -> list[float]:
        return [0] * (len(self._buckets) + 2)

    def _values(self) -> Iterable[tuple[Labels, list[float]]]:
        with self._lock:
            return sorted((labels, list(counts)) for labels, counts in self._counts.items())


_TOGETHER: Mapping[str, Callable[[Iterable[float]], float]] = {"sum": sum, "max": max, "min": min}
_FOR_EVER = frozenset({Counter.kind, Histogram.kind})


def every() -> Sequence[Counter | Gauge | Histogram]:
    """All families of this process."""
    return tuple(_family_of.values())


def snapshot() -> Snapshot:
    """Everything at this moment, in the order of names; JSON can say it, and it shares nothing with what goes on being counted."""
    return {one.name: one.family() for one in sorted(every(), key=lambda one: one.name)}


def lasting(seen: Snapshot) -> Snapshot:
    """What still counts of a process that has ended: what had happened, but not what was so."""
    return {name: family for name, family in seen.items() if family["kind"] in _FOR_EVER}


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The snapshots of several processes as one, in the order of names. A family that one process lays out in another way than those
    before it, being another version of the program, counts without that process."""
    made: Snapshot = {}
    for seen in snapshots:
        for name, family in seen.items():
            into = made.setdefault(name, {**family, "values": []})
            if _layout(into) == _layout(family):
                into["values"] = _joined(into["values"], family["values"], into["over"])
    return dict(sorted(made.items()))


def _layout(family: Mapping[str, Any]) -> Mapping[str, Any]:
    return {word: family.get(word) for word in ("kind", "labels", "over", "buckets")}


def _joined(some: list[list[Any]], more: list[list[Any]], over: str) -> list[list[Any]]:
    together = _TOGETHER[over]
    values = {tuple(labels): value for labels, value in some}
    for labels, value in more:
        before = values.get(tuple(labels))
        if before is None:
            values[tuple(labels)] = value
        elif isinstance(value, list):
            values[tuple(labels)] = [sum(pair) for pair in zip(before, value, strict=True)]
        else:
            values[tuple(labels)] = together((before, value))
    return [[list(labels), value] for labels, value in sorted(values.items())]
