"""Takes messages from a queue of SQS and gives each to be sorted: deleted when that is done, else left to come again.

What fails comes again after a while, and in the end where the queue's redrive policy sends it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from sesmail.aws.queues import LONGEST_WAIT, MOST, QueueTrouble, Received
from sesmail.counters import Counter, Histogram
from sesmail.delivery.settling import Messages, Settling
from sesmail.delivery.tray import DELETE, Task, Tray
from sesmail.delivery.trouble import Trouble
from sesmail.errors import Busy, Limited, MailError, Malformed, TooLarge, Unavailable

_log = logging.getLogger(__name__)

_tries = Counter(
    "sesmail_queue_tries_total",
    "Messages of the queue by how a try ended: done, left to come again, malformed (left, too), or bugs for an error nobody expected.",
    ("result",),
)
_tries.expect("done", "left", "malformed", "bugs")
_work = Histogram("sesmail_queue_work_seconds", "Time that a message of the queue was in work until it was done.")

LONGEST_WORK = 2 * 3600.0
# Nobody waits for a poll that is under way when it stops: what it still brings comes again by itself.
_POLL_GRACE = 1.0
_FIRST_AGAIN, _LONGEST_AGAIN = 15, 900
_TURNS = (0.1, 0.2, 0.4, 0.8, 1.6)
_SETTLERS = 2
_PASS_WAIT = 2
# Failures one after the other that mean that nothing works at the moment, whatever the message.
_ALL_FAIL = 20
_LONGEST_REST = 60.0
_MOST_REMEMBERED = 100_000


@dataclass(frozen=True)
class Tries:
    """Tries that ended: `done` and deleted; `left` to come again; `malformed`, left as well; `bugs`: left for an error nobody expected."""

    done: int = 0
    left: int = 0
    malformed: int = 0
    bugs: int = 0


class Take(Protocol):
    """See `Intake.take`."""

    def __call__(self, body: str, *, again: bool) -> object: ...


def again_after(count: int) -> int:
    """How many seconds a message rests that has failed `count` times: 15 at first, doubling up to 15 minutes."""
    return min(_LONGEST_AGAIN, _FIRST_AGAIN << min(max(count, 1) - 1, 10))


class Consumer:
    """Works at most `workers` messages at a time, each for at most `longest` seconds: then it is let go, and comes again.

    `take` is given a body, and whether it was received before, and has done all that is to be done when it returns. It raises Unavailable, Limited and Busy when the same may
    work later, Malformed when not. Received messages are kept for `visibility` seconds at a time until their work ends. Started once.
    """

    def __init__(
        self,
        queue: Messages,
        take: Take,
        *,
        workers: int = 16,
        visibility: int = 120,
        wait: int = LONGEST_WAIT,
        longest: float = LONGEST_WORK,
        again: Callable[[int], int] = again_after,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._take = take
        self._workers = workers
        self._visibility = visibility
        self._wait = wait
        self._longest = longest
        self._again = again
        self._now = now
        self._batch = min(MOST, max(1, workers))
        self._tray = Tray(max(2 * self._batch, workers), now)
        self._settling = Settling(queue, self._tray)
        self._receiving = Trouble(_log, "messages cannot be received from the queue")
        self._keeping = Trouble(_log, "messages of the queue cannot be kept")
        self._lock = threading.Lock()
        self._counts = Tries()
        self._failing = 0
        self._lost = 0
        self.emptied: float | None = None
        """When the queue had nothing more last, by the clock `now`."""
        self._much = threading.Event()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._polls: list[threading.Thread] = []
        self._pass: set[str] | None = None
        self._pass_error: QueueTrouble | None = None

    @property
    def counts(self) -> Tries:
        """What has ended so far."""
        with self._lock:
            return self._counts

    def start(self) -> None:
        """Begin, in threads of its own, none of which keeps the process from ending."""
        self._begin(polls=1 + self._workers // MOST)

    def stop(self, seconds: float) -> bool:
        """Receive nothing more, give back what is not begun, and wait for what is in work, but not longer than that. False when it is not
        done by then: its messages come again."""
        until = self._now() + seconds
        self._stopping.set()
        self._much.set()
        self._tray.close()
        grace = min(until, self._now() + _POLL_GRACE)
        for poll in self._polls:
            poll.join(max(0.0, grace - self._now()))
        ended = self._tray.wait_until_idle(max(0.0, until - self._now()))
        if not ended:
            _log.warning("%d messages of the queue are still in work; they will come again", self._tray.working)
        self._end()
        return ended

    def until_empty(self) -> Tries:
        """Work until the queue gives nothing more that this has not tried already, and return what became of it. A message that fails is
        not tried twice. Raises QueueTrouble when the queue cannot be asked."""
        self._pass = set()
        self._begin(polls=1)
        for poll in self._polls:
            poll.join()
        self._tray.wait_until_idle(None)
        self._end()
        if self._pass_error is not None:
            raise self._pass_error
        return self.counts

    def _end(self) -> None:
        self._tray.end()
        self._ended.set()

    def _begin(self, polls: int) -> None:
        self._polls = [self._thread(f"poll-{number}", self._poll, number) for number in range(polls)]
        for number in range(self._workers):
            self._thread(f"work-{number}", self._work)
        for number in range(_SETTLERS):
            self._thread(f"settle-{number}", self._settling.run)
        self._thread("keep", self._keep)

    def _thread(self, name: str, loop: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=self._go_on, args=(name, loop, *args), name=f"queue-{name}", daemon=True)
        thread.start()
        return thread

    def _go_on(self, name: str, loop: Callable[..., None], *args: object) -> None:
        while not self._ended.is_set():
            try:
                loop(*args)
                return
            except Exception:
                self._count(bugs=1)
                _log.exception("unexpected, in the thread %s of the queue: it goes on", name)
                self._ended.wait(1)

    def _count(self, **more: int) -> None:
        for name, count in more.items():
            _tries.add(name, by=count)
        with self._lock:
            self._counts = replace(self._counts, **{name: getattr(self._counts, name) + count for name, count in more.items()})

    def _poll(self, number: int) -> None:
        while not self._stopping.is_set():
            if number:
                # Beside the first poll only while messages come faster than one poll brings them.
                self._much.wait()
            if not self._tray.reserve(self._batch):
                return
            found: list[Received] = []
            fresh: list[Received] = []
            wait = 0.0
            try:
                found = self._queue.receive(
                    visibility=self._visibility, most=self._batch, wait=0 if number else self._poll_wait()
                )
                fresh = self._fresh(found)
                self._receiving.worked()
            except QueueTrouble as error:
                if self._pass is not None:
                    self._pass_error = error
                    return
                if self._stopping.is_set():
                    return
                wait = self._receiving.failed(error)
            finally:
                self._tray.add(fresh, self._visibility, self._batch)
            if self._pass is not None and self._ends_pass(fresh):
                return
            if not wait:
                self._reckon(number, len(found))
            self._stopping.wait(max(wait, self._rest()))

    def _poll_wait(self) -> int:
        return self._wait if self._pass is None else min(self._wait, _PASS_WAIT)

    def _fresh(self, found: list[Received]) -> list[Received]:
        if self._pass is None:
            return found
        with self._lock:
            tried = [message for message in found if message.id in self._pass]
        for message in tried:
            self._tray.put_back([message], self._visibility, self._again(message.count))
        return [message for message in found if message not in tried]

    def _ends_pass(self, fresh: list[Received]) -> bool:
        if self._failing >= _ALL_FAIL or len(self._pass or ()) >= _MOST_REMEMBERED:
            _log.warning("too much of the queue fails at the moment, the rest of it is left for later")
            return True
        return not fresh and self._tray.idle

    def _reckon(self, number: int, count: int) -> None:
        if not number and not count:
            self.emptied = self._now()
        if not number and 2 * count > self._batch:
            self._much.set()
        elif not count and not self._stopping.is_set():
            self._much.clear()

    def _most(self) -> int:
        # When all fails, one at a time is enough to see whether it works again: a try too many would end among the dead letters.
        return 1 if self._failing >= _ALL_FAIL and self._pass is None else self._batch

    def _rest(self) -> float:
        """Seconds without a poll."""
        if self._failing < _ALL_FAIL or self._pass is not None:
            return 0.0
        return min(_LONGEST_REST, self._failing - _ALL_FAIL + 1.0)

    def _work(self) -> None:
        while (task := self._tray.next()) is not None:
            after = self._again(task.message.count)
            try:
                after = self._tried(task.message)
            finally:
                self._tray.done(task, after)
            if task.replaced:
                with self._lock:
                    self._lost -= 1
                return

    def _tried(self, message: Received) -> int:
        """What is to become of the message: see Task.after."""
        try:
            with _work.time():
                self._take_in_turn(message)
        except (Unavailable, Limited) as error:
            self._failing += 1
            return self._leave(message, error, left=1)
        except Busy:
            return self._left(message, left=1)
        except (Malformed, TooLarge) as error:
            return self._leave(message, error, left=1, malformed=1)
        except MailError as error:
            return self._leave(message, error, left=1)
        except Exception as error:
            self._leave(message, error, left=1, bugs=1)
            _log.error("message %s failed for an error that nobody expected", message.id, exc_info=error)
            return self._again(message.count)
        self._failing = 0
        self._count(done=1)
        return DELETE

    def _take_in_turn(self, message: Received) -> None:
        # A duplicate comes while another thread is at the same: to leave it would count as a try.
        for pause in _TURNS:
            try:
                self._take(message.body, again=message.count > 1)
                return
            except Busy:
                self._stopping.wait(pause)
        self._take(message.body, again=True)

    def _leave(self, message: Received, error: Exception, **counts: int) -> int:
        after = self._left(message, **counts)
        said = error if isinstance(error, MailError) else type(error).__name__
        _log.warning("message %s failed the %d. time, next try in %d s: %s", message.id, message.count, after, said)
        return after

    def _left(self, message: Received, **counts: int) -> int:
        self._count(**counts)
        if self._pass is not None:
            with self._lock:
                self._pass.add(message.id)
        return self._again(message.count)

    def _keep(self) -> None:
        # Three tries before anybody else may get a message.
        pause = max(0.05, min(20.0, self._visibility / 6))
        while not self._ended.is_set():
            self._give_up()
            ending = self._tray.ending(self._visibility * 2 / 3)
            for first in range(0, len(ending), MOST):
                self._keep_these(ending[first : first + MOST])
            self._ended.wait(pause)

    def _keep_these(self, tasks: list[Task]) -> None:
        until = self._now() + self._visibility
        try:
            left = self._queue.keep({task.message: self._visibility for task in tasks})
        except QueueTrouble as error:
            self._keeping.failed(error)
            return
        self._keeping.worked()
        self._tray.kept([task for task in tasks if task.message.receipt not in left], until)
        for task in tasks:
            if task.message.receipt in left:
                _log.info("message %s could not be kept: %s", task.message.id, left[task.message.receipt])
                self._tray.lost(task)

    def _give_up(self) -> None:
        for task in self._tray.give_up(self._longest):
            _log.error("message %s is in work for more than %d s: it will come again", task.message.id, self._longest)
            with self._lock:
                task.replaced = self._lost < self._workers
                self._lost += task.replaced
            if task.replaced:
                self._thread("work", self._work)
            else:
                _log.critical("too many workers of the queue hang, no more are begun: restart the service")
