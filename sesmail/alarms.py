"""What the operator has to hear about, without a line for every mail that meets it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

from sesmail.mail.outcome import Outcome

log = logging.getLogger(__name__)

_EVERY = 300.0
_KINDS = 100


class Alarms:
    """Logs each kind of alarm once in `every` seconds, with how many there were since. Thread-safe.

    The kind is what stands before the first ``:`` of an alarm.
    """

    def __init__(self, clock: Callable[[], float], every: float = _EVERY) -> None:
        self._clock = clock
        self._every = every
        self._lock = threading.Lock()
        self._said: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def hear(self, outcomes: Iterable[Outcome]) -> None:
        """Log what is new in these; several outcomes with one alarm are one."""
        for alarm in {outcome.alarm for outcome in outcomes if outcome.alarm}:
            since = self._since(alarm.partition(":")[0])
            if since is not None:
                log.error("mail waits for you to mend this: %s%s", alarm, f" ({since} more like it before)" if since else "")

    def _since(self, kind: str) -> int | None:
        """How many were kept back since the last line, None when this one is kept back too."""
        with self._lock:
            now = self._clock()
            at, kept = self._said.get(kind, (now - self._every, 0))
            quiet = now - at < self._every
            self._said[kind] = (at, kept + 1) if quiet else (now, 0)
            self._said.move_to_end(kind)
            if len(self._said) > _KINDS:
                self._said.popitem(last=False)
            return None if quiet else kept
