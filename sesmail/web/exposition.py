"""The counters as Prometheus reads them. The library that writes its formats is an extra, which few need.

https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import accumulate
from typing import Any

from sesmail.counters import Snapshot

_LIBRARY = "prometheus_client"


def is_there() -> bool:
    """Whether the library is installed."""
    return find_spec(_LIBRARY) is not None


def exposed(seen: Snapshot, accept: str) -> tuple[str, bytes]:
    """Content type and content, in the format that a header Accept asks for. Raises ImportError where the library is not installed."""
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(accept)
    return content_type, encode(_Collected(seen))


class _Collected:
    """What the library takes for its registry."""

    def __init__(self, seen: Snapshot) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Any]:
        for name, family in self._seen.items():
            yield _family(name, family)


def _family(name: str, family: Mapping[str, Any]) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    made: Any = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}[family["kind"]]
    into = made(name, family["help"], labels=family["labels"])
    for labels, value in family["values"]:
        if family["kind"] == "histogram":
            into.add_metric(labels, _buckets(family["buckets"], value), value[-1])
        else:
            into.add_metric(labels, value)
    return into


def _buckets(bounds: list[float], counts: list[float]) -> list[tuple[str, float]]:
    # Theirs are sums: each bucket counts those below it, too.
    return list(zip([*(str(float(bound)) for bound in bounds), "+Inf"], accumulate(counts[:-1]), strict=True))
