"""Trouble that lasts: logged when it begins, when it becomes another one, and when it is over."""

from __future__ import annotations

import logging
import threading

_FIRST, _LONGEST = 1.0, 60.0


class Trouble:
    """Of one kind of request, `what` in words. Thread-safe."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._lock = threading.Lock()
        self._word: str | None = None
        self._times = 0

    def failed(self, error: Exception) -> float:
        """It failed; returns how many seconds to wait before it is tried again, doubling up to a minute."""
        word = str(getattr(error, "word", type(error).__name__))
        with self._lock:
            changed, self._word = word != self._word, word
            self._times += 1
            wait = min(_LONGEST, _FIRST * 2.0 ** min(self._times - 1, 10))
        if changed:
            self._log.error("%s: it is tried again until it works: %s", self._what, error)
        return wait

    def worked(self) -> None:
        """It works, or works again."""
        if self._word is None:
            return
        with self._lock:
            times, self._times, self._word = self._times, 0, None
        if times:
            self._log.info("%s: it works again, after %d failures", self._what, times)
