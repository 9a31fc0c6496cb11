"""However much is counted, a worker can tell its parent in one message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]
# In a process of its own: counters that are full stay full.
_FULL = """
import sesmail.service.crew.several
from sesmail.counters import Counter, Histogram, every, snapshot
from sesmail.service.crew.messages import LONGEST, call

for family in every():
    for number in range(500 if family.labels else 1):
        labels = [f"word-of-usual-length{number}"] * len(family.labels)
        if isinstance(family, Counter):
            family.add(*labels, by=123456)
        if isinstance(family, Histogram):
            for seconds in (0.001, 0.01, 0.1, 1, 5, 10, 100):
                family.observe(seconds + 0.1234567, *labels)
print(LONGEST - len(call(123456, "beat", [snapshot()])), sum(len(one["values"]) for one in snapshot().values()))
"""


def test_counters_that_are_all_full_fit_into_one_message() -> None:
    done = subprocess.run([sys.executable, "-c", _FULL], cwd=_ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    left, series = map(int, done.stdout.split())
    assert left > 10_000
    assert series > 1000
