"""The exclusive right to a maildrop among all workers.

A worker whose newcomer finds the maildrop held is answered that he has to wait. The desk asks the holder's worker whether its client
is idle, and tells the newcomer's what comes of it.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime

from sesmail.errors import Busy, MailError, Malformed, Unavailable
from sesmail.interfaces import Client, Place
from sesmail.service.crew.desk import Seat, SeatCalls, short
from sesmail.service.crew.line import Calls
from sesmail.service.crew.orders import Orders
from sesmail.storage.lock import Hold, Maildrop, gives_way, maildrop

_log = logging.getLogger(__name__)

# Maildrops of one worker: more than it can have connections.
MOST_HELD = 65_536
# Seconds after which a holder whose worker does not say anything is taken to be there.
PATIENCE = 3.0


@dataclass(eq=False)
class _Session:
    """Who has a maildrop, or wants it."""

    seat: Seat
    token: int
    name: Maildrop


class DeskLocks:
    """See desk.Service. A session is known by its worker and a number of the worker's own, its token."""

    def __init__(self) -> None:
        self._holders: dict[Maildrop, _Session] = {}
        self._sessions: dict[Seat, dict[int, _Session]] = {}
        # Who waits for the answer of whom, by the number of the question.
        self._waiting: dict[int, tuple[_Session, _Session]] = {}
        self._questions = itertools.count(1)
        self.calls: SeatCalls = {
            "lock.take": (self._take, (int, str, str, str)),
            "lock.idle": (self._idle, (int, bool)),
            "lock.release": (self._release, (int,)),
        }

    def _take(self, seat: Seat, token: int, endpoint: str, url: str, prefix: str) -> bool:
        """True for the maildrop, False for an order ``lock.taken`` to come."""
        short(endpoint, url, prefix)
        mine = self._sessions.setdefault(seat, {})
        if len(mine) >= MOST_HELD:
            raise Unavailable(cause="too many maildrops are open")
        if token in mine:
            raise Malformed("that token is another session's")
        mine[token] = newcomer = _Session(seat, token, (endpoint, url, prefix))
        holder = self._holders.setdefault(newcomer.name, newcomer)
        if holder is newcomer:
            return True
        question = next(self._questions)
        self._waiting[question] = newcomer, holder
        holder.seat.order("lock.ask", [question, holder.token])
        return False

    def _idle(self, seat: Seat, question: int, idle: bool) -> bool:
        """What the holder's worker says. True when the holder has lost its right."""
        newcomer, holder = self._waiting.get(question, (None, None))
        if newcomer is None or holder is None or holder.seat is not seat:
            return False
        del self._waiting[question]
        lost = idle and self._holders.get(newcomer.name) is holder
        if lost:
            self._drop(holder)
        self._settle(newcomer)
        return lost

    def _release(self, seat: Seat, token: int) -> None:
        session = self._sessions.get(seat, {}).get(token)
        if session is not None:
            self._drop(session)
            self._forget(session)

    def _settle(self, newcomer: _Session) -> None:
        """The newcomer gets what is free by now, or has to go."""
        taken = self._holders.setdefault(newcomer.name, newcomer) is newcomer
        if not taken:
            self._drop(newcomer)
        newcomer.seat.order("lock.taken", [newcomer.token, taken])

    def _drop(self, session: _Session) -> None:
        self._sessions.get(session.seat, {}).pop(session.token, None)
        if self._holders.get(session.name) is session:
            del self._holders[session.name]

    def _forget(self, gone: _Session) -> None:
        """Whoever waits for its answer need not any more, and it waits for nobody's."""
        for question, (newcomer, holder) in list(self._waiting.items()):
            if newcomer is gone:
                del self._waiting[question]
            elif holder is gone:
                del self._waiting[question]
                self._settle(newcomer)

    def gone(self, seat: Seat) -> None:
        """See desk.Service."""
        sessions = list(self._sessions.get(seat, {}).values())
        for session in sessions:
            self._drop(session)
        self._sessions.pop(seat, None)
        # A worker's own newcomers first: they must not get what its holders had.
        own = set(sessions)
        for question, (newcomer, _) in list(self._waiting.items()):
            if newcomer in own:
                del self._waiting[question]
        for session in sessions:
            self._forget(session)


@dataclass(eq=False)
class _Held:
    lock: LineLock
    token: int
    client: Client

    async def release(self) -> None:
        self.lock.give_back(self.token)


class LineLock:
    """See storage.lock.ProcessLock, for one session per maildrop among all workers. Whoever lost the exclusive right goes on."""

    def __init__(self, idle: float, line: Calls, orders: Orders, clock: IReactorTime) -> None:
        self.idle = idle
        self._line = line
        self._clock = clock
        self._tokens = itertools.count(1)
        self._clients: dict[int, Client] = {}
        self._waiting: dict[int, Deferred[bool]] = {}
        orders.on("lock.ask", self._asked)
        orders.on("lock.taken", self._taken)

    async def take(self, place: Place, client: Client) -> Hold:
        """See Lock."""
        token = next(self._tokens)
        self._clients[token] = client
        try:
            if self._line.call("lock.take", token, *maildrop(place)) is not True:
                await self._wait(token)
        except BaseException:
            # Also when the client left meanwhile and we were cancelled.
            self.give_back(token)
            raise
        return _Held(self, token, client)

    def give_back(self, token: int) -> None:
        """The session is over, or has waited for long enough. May be called more than once; never raises."""
        if self._clients.pop(token, None) is not None:
            try:
                self._line.call("lock.release", token)
            except MailError as error:
                _log.error("a maildrop stays locked until this worker ends: %s", error)

    async def _wait(self, token: int) -> None:
        answer: Deferred[bool] = Deferred()
        self._waiting[token] = answer
        try:
            if await answer.addTimeout(PATIENCE, self._clock):
                return
        except DeferredTimeout:
            _log.warning("a worker does not say whether its session is idle")
        finally:
            del self._waiting[token]
        raise Busy

    def _taken(self, token: int, taken: bool) -> None:
        waiting = self._waiting.get(token)
        if waiting is not None and not waiting.called:
            waiting.callback(taken)

    def _asked(self, question: int, token: int) -> None:
        client = self._clients.get(token)
        idle = client is None or gives_way(client, self.idle)
        try:
            lost = self._line.call("lock.idle", question, idle)
        except MailError as error:
            _log.error("the parent process does not hear who is idle: %s", error)
            return
        if lost is True and client is not None:
            del self._clients[token]
            _log.info("an idle session from %s lost its exclusive right to a newcomer", client.peer)
