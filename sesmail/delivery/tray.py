"""What was received from a queue and is not settled yet: it waits for a worker, is in work, or is to be deleted or given back."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sesmail.aws.queues import MOST, Received

DELETE = -1
# Seconds that what is to be deleted waits for others, while there are any in work: one request for ten costs as much as one for one.
_COMPANY = 0.2


@dataclass(eq=False)
class Task:
    """One message. `until`: when somebody else may get it. `begun`: when a worker took it. `after`: DELETE, or for how many seconds
    nobody is to get it; None as long as that is not known. `due`: not to be settled before. `kept`: it is to stay ours. `replaced`: its
    worker has been given up, and another one begun."""

    message: Received
    until: float
    begun: float | None = None
    after: int | None = None
    due: float = 0.0
    tries: int = 0
    kept: bool = True
    replaced: bool = False


class Tray:
    """Thread-safe. `now` is a monotonic clock. At most `room` messages wait for workers, those under way from the queue included."""

    def __init__(self, room: int, now: Callable[[], float]) -> None:
        self._room = room
        self._now = now
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._space = threading.Condition(lock)
        self._ended = threading.Condition(lock)
        self._quiet = threading.Condition(lock)
        self._lock = lock
        self._waiting: deque[Task] = deque()
        self._working: set[Task] = set()
        self._settling: list[Task] = []
        self._in_settlement: set[Task] = set()
        self._reserved = 0
        self.closed = False
        self.over = False

    def reserve(self, most: int = MOST) -> bool:
        """Wait for room for `most` messages, which `add` gives back. False: the tray is closed."""
        with self._space:
            self._space.wait_for(lambda: self.closed or len(self._waiting) + self._reserved + most <= self._room)
            if self.closed:
                return False
            self._reserved += most
            return True

    def add(self, messages: Sequence[Received], visibility: float, reserved: int) -> None:
        """Messages came for a reservation. In a closed tray they go back."""
        with self._lock:
            self._reserved -= reserved
            tasks = [Task(message, self._now() + visibility) for message in messages]
            if self.closed:
                self._give_back(tasks)
            else:
                self._waiting.extend(tasks)
                self._work.notify(len(tasks))
            self._space.notify_all()

    def put_back(self, messages: Sequence[Received], visibility: float, after: int) -> None:
        """These are not to be worked at: nobody gets them for `after` seconds."""
        with self._lock:
            self._give_back([Task(message, self._now() + visibility) for message in messages], after)

    def next(self) -> Task | None:
        """Wait for the next message to work at. None: the tray is closed."""
        with self._lock:
            while True:
                self._work.wait_for(lambda: self.closed or self._waiting)
                if self.closed:
                    return None
                task = self._waiting.popleft()
                self._space.notify_all()
                # What could not be kept comes again, here or elsewhere.
                if task.until > self._now():
                    task.begun = self._now()
                    self._working.add(task)
                    return task

    def done(self, task: Task, after: int) -> None:
        """The worker has ended."""
        with self._lock:
            self._working.discard(task)
            task.after = after
            task.due = self._now() + (_COMPANY if after == DELETE else 0.0)
            self._settling.append(task)
            fresh = [one for one in self._settling if not one.tries]
            if len(fresh) >= MOST or not (self._working or self._waiting):
                for one in fresh:
                    one.due = 0.0
            self._ended.notify()

    def to_settle(self) -> list[Task]:
        """Wait for what is to be settled, MOST at most, all of them deletes or none. Each is then `settled` or `put_off`. Empty: it is over."""
        with self._lock:
            while True:
                ready = [task for task in self._settling if task.due <= self._now()]
                if ready:
                    break
                if self.over:
                    return []
                due = min((task.due for task in self._settling), default=None)
                self._ended.wait(None if due is None else max(0.01, due - self._now()))
            deleting = ready[0].after == DELETE
            # What waits for company goes with it.
            more = [task for task in self._settling if deleting and not task.tries and task not in ready]
            batch = [task for task in (*ready, *more) if (task.after == DELETE) == deleting][:MOST]
            self._settling = [task for task in self._settling if task not in batch]
            self._in_settlement |= set(batch)
            return batch

    def settled(self, tasks: Sequence[Task]) -> None:
        """Nothing is left to be done about these."""
        with self._lock:
            self._in_settlement -= set(tasks)
            self._tell_if_idle()

    def put_off(self, tasks: Sequence[Task], seconds: float) -> None:
        """These are to be settled again, so many seconds from now."""
        with self._lock:
            self._in_settlement -= set(tasks)
            for task in tasks:
                task.due = self._now() + seconds
            self._settling.extend(tasks)
            self._ended.notify_all()

    def ending(self, seconds: float) -> list[Task]:
        """What must be kept, and is somebody else's within so many seconds."""
        with self._lock:
            deleting = [task for task in (*self._settling, *self._in_settlement) if task.after == DELETE]
            held = [task for task in (*self._waiting, *self._working, *deleting) if task.kept]
            return [task for task in held if task.until <= self._now() + seconds]

    def kept(self, tasks: Sequence[Task], until: float) -> None:
        """These stay ours until then."""
        with self._lock:
            for task in tasks:
                task.until = until

    def lost(self, task: Task) -> None:
        """Somebody else may have this one already: it is not begun, and what has begun is kept no longer."""
        with self._lock:
            task.kept = False
            if task in self._waiting:
                self._waiting.remove(task)
            self._space.notify_all()
            self._tell_if_idle()

    def give_up(self, seconds: float) -> list[Task]:
        """What was begun longer ago than that: nobody waits for it or keeps it any more."""
        with self._lock:
            found = [task for task in self._working if task.begun is not None and task.begun + seconds <= self._now()]
            self._working -= set(found)
            self._tell_if_idle()
            return found

    @property
    def idle(self) -> bool:
        """Nothing waits, nothing is in work, nothing is to be settled."""
        with self._lock:
            return self._is_idle()

    @property
    def working(self) -> int:
        """How many messages are in work."""
        return len(self._working)

    def close(self) -> None:
        """Nothing more is received, nothing more begun: what waits goes back."""
        with self._lock:
            self.closed = True
            self._give_back(self._waiting)
            self._waiting.clear()
            self._tell_all()

    def wait_until_idle(self, seconds: float | None) -> bool:
        """Also until the end. False when that took longer."""
        with self._lock:
            return self._quiet.wait_for(lambda: self.over or self._is_idle(), seconds)

    def end(self) -> None:
        """Nobody is to wait for anything any more."""
        with self._lock:
            self.closed = self.over = True
            self._tell_all()

    def _is_idle(self) -> bool:
        return not (self._waiting or self._working or self._settling or self._in_settlement)

    def _give_back(self, tasks: Sequence[Task] | deque[Task], after: int = 0) -> None:
        for task in tasks:
            task.after = after
        self._settling.extend(tasks)
        self._ended.notify_all()

    def _tell_all(self) -> None:
        for change in (self._work, self._space, self._ended, self._quiet):
            change.notify_all()

    def _tell_if_idle(self) -> None:
        if self._is_idle():
            self._quiet.notify_all()
