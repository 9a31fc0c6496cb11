"""The spool in several processes: all accept messages and try them the first time, the first worker tries them again.

Each message has its own lock on the disk, which its process loses when it ends, so no two ever carry it at once. What goes over the
line is only when each message is due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from twisted.application.service import Service

from sesmail.errors import MailError, Malformed, Unavailable
from sesmail.relay.folders import Folders, Hold
from sesmail.relay.record import is_id
from sesmail.relay.schedule import Schedule
from sesmail.service.crew.desk import Seat, SeatCalls
from sesmail.service.crew.line import Calls
from sesmail.service.crew.orders import Orders

_log = logging.getLogger(__name__)

FIRST = 0
# First attempts of one worker: as many messages as it can have accepted before they were tried.
MOST_PROMISED = 65_536
# Until a process that has ended has let go of what it had locked.
_LETTING_GO = 1.0


class DeskMail:
    """See desk.Service. `now` gives Unix time. What a worker had accepted and not tried yet is due when it ends."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._first: Seat | None = None
        self._promised: dict[Seat, set[str]] = {}
        self.calls: SeatCalls = {
            "mail.first": (self._is_first, ()),
            "mail.promise": (self._promise, (str, float)),
            "mail.put": (self._put, (str, float)),
            "mail.drop": (self._drop, (str,)),
        }

    def _is_first(self, seat: Seat) -> None:
        if seat.number != FIRST:
            raise Malformed("another worker is the first")
        self._first = seat

    def _promise(self, seat: Seat, id: str, due: float) -> None:
        mine = self._promised.setdefault(seat, set())
        if len(mine) >= MOST_PROMISED:
            raise Unavailable(cause="too many messages wait for their first attempt")
        self._tell("mail.put", _checked(id), due)
        mine.add(id)

    def _put(self, seat: Seat, id: str, due: float) -> None:
        self._tell("mail.put", _checked(id), due)
        self._promised.get(seat, set()).discard(id)

    def _drop(self, seat: Seat, id: str) -> None:
        self._tell("mail.drop", _checked(id))
        self._promised.get(seat, set()).discard(id)

    def _tell(self, name: str, *arguments: object) -> None:
        # A first worker that begins later sees what lies in the spool.
        if self._first is not None:
            self._first.order(name, arguments)

    def gone(self, seat: Seat) -> None:
        """See desk.Service."""
        if seat is self._first:
            self._first = None
        for id in self._promised.pop(seat, ()):
            self._tell("mail.put", id, self._now() + _LETTING_GO)


class LineSchedule:
    """See relay.schedule.Schedule, in a worker that is not the first. Never raises: what the first is not told, it finds."""

    def __init__(self, line: Calls) -> None:
        self._line = line

    def __len__(self) -> int:
        return 0

    def __contains__(self, id: str) -> bool:
        return False

    def promise(self, id: str, due: float) -> None:
        """See Schedule. Told on return."""
        self._tell("mail.promise", id, due)

    def put(self, id: str, due: float) -> None:
        """See Schedule."""
        self._tell("mail.put", id, due)

    def drop(self, id: str) -> None:
        """See Schedule."""
        self._tell("mail.drop", id)

    def due(self, id: str) -> None:
        """Nobody asks here."""

    def next(self) -> None:
        """Nothing comes up here."""

    def take(self, now: float, limit: int, again: float, busy: Callable[[str], bool]) -> list[str]:
        """Nothing comes up here."""
        return []

    def _tell(self, name: str, *arguments: object) -> None:
        try:
            self._line.call(name, *arguments)
        except MailError as error:
            _log.error("the first worker does not hear when a message is due: %s", error)


def first_schedule(line: Calls, orders: Orders) -> tuple[Schedule, Callable[[Callable[[], None]], None]]:
    """The schedule of the first worker, to which others add, and what has a function called whenever they did."""
    schedule = Schedule()
    told: list[Callable[[], None]] = []

    def put(id: str, due: float) -> None:
        schedule.put(id, due)
        for changed in told:
            changed()

    orders.on("mail.put", put)
    orders.on("mail.drop", schedule.drop)
    line.call("mail.first")
    return schedule, told.append


class SpoolHold(Service):
    """Holds the spool for all workers while the service runs, and makes it if it is not there."""

    def __init__(self, root: Path) -> None:
        self.setName("spool")
        self._root = root
        self._hold: Hold | None = None

    def startService(self) -> None:
        """Raises SystemExit, having logged one line, when the spool cannot be had."""
        try:
            Folders(self._root, make=True).close()
            self._hold = Hold(self._root)
        except MailError as error:
            _log.critical("%s", error)
            raise SystemExit(1) from None
        super().startService()

    def stopService(self) -> None:
        super().stopService()
        if self._hold is not None:
            self._hold.close()
            self._hold = None


def _checked(id: str) -> str:
    if not is_id(id):
        raise Malformed("that is no id of a message")
    return id
