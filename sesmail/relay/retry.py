"""When to try again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# A wait is this much shorter or longer by chance, so that what failed together does not come back together.
JITTER = 0.25


@dataclass(frozen=True)
class Retry:
    """Seconds: after the first attempt, at most between two, and from arrival until a message is given up."""

    first: float = 60.0
    longest: float = 3600.0
    lifetime: float = 172_800.0

    def wait(self, tries: int, chance: Callable[[], float]) -> float:
        """Seconds after the attempt that was the `tries`-th. `chance` gives numbers in [0, 1)."""
        # The exponent is bounded: a float has an end.
        doubled = self.first * 2.0 ** min(max(tries, 1) - 1, 30)
        return min(doubled, self.longest) * (1 - JITTER + 2 * JITTER * chance())

    def over(self, arrived: float, now: float) -> bool:
        """True when a message is to be given up."""
        return now >= arrived + self.lifetime
