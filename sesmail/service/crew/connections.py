"""One count of connections for all workers: at the desk, and by line."""

from __future__ import annotations

import logging
from collections import Counter

from sesmail.errors import MailError
from sesmail.protocols.limits import Counted
from sesmail.service.crew.desk import Seat, SeatCalls, short
from sesmail.service.crew.line import Calls

_log = logging.getLogger(__name__)


class DeskConnections:
    """See desk.Service. What a worker counted is taken back when it ends."""

    def __init__(self, connections: Counted) -> None:
        self._connections = connections
        self._open: dict[Seat, Counter[str]] = {}
        self.calls: SeatCalls = {
            "connections.enter": (self._enter, (str,)),
            "connections.leave": (self._leave, (str,)),
        }

    def _enter(self, seat: Seat, peer: str) -> bool:
        short(peer)
        entered = self._connections.enter(peer)
        if entered:
            self._open.setdefault(seat, Counter())[peer] += 1
        return entered

    def _leave(self, seat: Seat, peer: str) -> None:
        mine = self._open.get(seat)
        # A worker takes back what it counted itself, and nothing else.
        if mine and mine[peer] > 0:
            mine[peer] -= 1
            mine += Counter()
            self._connections.leave(peer)

    def gone(self, seat: Seat) -> None:
        """See desk.Service."""
        for peer in self._open.pop(seat, Counter()).elements():
            self._connections.leave(peer)


class LineConnections:
    """See protocols.limits.Connections. While the parent does not answer nobody is let in."""

    def __init__(self, line: Calls) -> None:
        self._line = line

    def enter(self, peer: str) -> bool:
        """See Connections."""
        try:
            return self._line.call("connections.enter", peer) is True
        except MailError as error:
            _log.error("a connection is refused: %s", error)
            return False

    def leave(self, peer: str) -> None:
        """See Connections."""
        try:
            self._line.call("connections.leave", peer)
        except MailError as error:
            _log.error("a connection that ended is counted until this worker ends: %s", error)
