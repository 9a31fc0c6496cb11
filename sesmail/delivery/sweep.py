"""Finds messages that came in and that no notice led to, and has them sorted like any other."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from sesmail.aws import objects
from sesmail.aws.document import Part
from sesmail.aws.receipt import Notice
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.journey import Sorted
from sesmail.errors import Busy, MailError
from sesmail.storage.store import Row

_log = logging.getLogger(__name__)

LEFT = "left"
"""What could not be done, and is found again."""

# One after the other that fail: then the rest would, too.
_ALL_FAIL = 50


def modified(row: Row) -> float:
    """When it was written, in seconds since 1970."""
    return datetime.fromisoformat(row.modified.decode("ascii").replace("Z", "+00:00")).timestamp()


class Sweep:
    """Of one inbox: what is older than `after` seconds by the clock `now` (Unix time), at most `most` messages at a time, `workers` of them
    at once. The next time it goes on where this one ended."""

    def __init__(
        self,
        inbox: Inbox,
        sort: Callable[[Notice], Sorted],
        *,
        after: float,
        now: Callable[[], float],
        most: int = 10_000,
        workers: int = 16,
    ) -> None:
        self._inbox = inbox
        self._sort = sort
        self._after = after
        self._now = now
        self._most = most
        self._workers = workers
        # The number of a listing, and a key of it.
        self._reached = (0, "")
        self._last = (0, "")
        self._failing = 0
        self._stopped = False

    def run(self) -> Mapping[str, int]:
        """Sort what is found, and return how many came to which end, by the words of Sorted, and LEFT. Raises Unavailable when the inbox
        cannot be listed."""
        one_pass = _Pass(itertools.islice(self._found(), self._most), self._sorted)
        self._failing = 0
        one_pass.run(self._workers)
        counts = one_pass.counts
        whole = counts.total() < self._most and self._failing < _ALL_FAIL
        self._reached = (0, "") if whole else self._last
        if counts:
            _log.info("sweep: %s", ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
        return counts

    def stop(self) -> None:
        """Begin with no further message; `run` returns soon."""
        self._stopped = True

    def _found(self) -> Iterator[Notice]:
        before = self._now() - self._after
        for number, prefix in enumerate(self._prefixes()):
            for row in self._inbox.store.list(prefix, delimiter="" if prefix else "/"):
                if self._stopped or self._failing >= _ALL_FAIL:
                    return
                notice = self._notice(row) if modified(row) <= before else None
                if notice is not None and (number, notice.key) > self._reached:
                    self._last = (number, notice.key)
                    yield notice

    def _prefixes(self) -> Sequence[str]:
        """Each lists keys that no other one lists."""
        chosen: list[str] = []
        for prefix in sorted({self._inbox.prefix, *(prefix for prefix, _ in self._inbox.fixed)}):
            # Into the empty one nobody goes deeper: there mail lies in no folder.
            if not any(one and prefix.startswith(one) for one in chosen):
                chosen.append(prefix)
        return chosen

    def _notice(self, row: Row) -> Notice | None:
        try:
            key = objects.key(Part(row.key.decode("utf-8"), "the key"))
        except (UnicodeDecodeError, MailError):
            return None
        if not self._inbox.is_incoming(key):
            return None
        return Notice(objects.id_of(key, self._inbox.prefix), self._inbox.bucket, key, modified(row))

    def _sorted(self, notice: Notice) -> str:
        try:
            ended = self._sort(notice)
        except Busy:
            return LEFT
        except MailError as error:
            self._failing += 1
            _log.warning("message %s cannot be sorted now: %s", notice.message_id, error)
            return LEFT
        except Exception:
            self._failing += 1
            _log.exception("message %s cannot be sorted, for an error that nobody expected", notice.message_id)
            return LEFT
        self._failing = 0
        return ended.value


class _Pass:
    """What several threads do of one list. They keep no process from ending."""

    def __init__(self, found: Iterator[Notice], do: Callable[[Notice], str]) -> None:
        self.counts: Counter[str] = Counter()
        self._found = found
        self._do = do
        self._lock = threading.Lock()
        self._error: Exception | None = None

    def run(self, workers: int) -> None:
        """Raises what the list raises."""
        threads = [threading.Thread(target=self._work, name=f"sweep-{number}", daemon=True) for number in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (notice := self._next()) is not None:
            word = self._do(notice)
            with self._lock:
                self.counts[word] += 1

    def _next(self) -> Notice | None:
        with self._lock:
            try:
                return next(self._found, None)
            except Exception as error:
                # The others find the list at its end.
                self._error = error
                return None
