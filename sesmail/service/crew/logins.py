"""Logins that all workers count together: refused ones, and those that come too soon."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

from sesmail.auth.logindelay import Delayed
from sesmail.auth.throttle import Attempted, Throttled
from sesmail.errors import MailError, Malformed, Unavailable
from sesmail.service.crew.desk import Seat, SeatCalls, short
from sesmail.service.crew.line import Calls

_log = logging.getLogger(__name__)

# Logins of one worker that may be under way: more than it can have connections.
MOST_ATTEMPTS = 65_536


class DeskLogins:
    """See desk.Service. Logins that were under way when their worker ended count as undecided."""

    def __init__(self, throttle: Throttled, delay: Delayed | None) -> None:
        self._throttle = throttle
        self._delay = delay
        self._numbers = itertools.count(1)
        self._attempts: dict[Seat, dict[int, Attempted]] = {}
        self.calls: SeatCalls = {
            "throttle.enter": (self._enter, (str, str)),
            "throttle.refused": (self._ending(lambda attempt: attempt.refused()), (int,)),
            "throttle.accepted": (self._ending(lambda attempt: attempt.accepted()), (int,)),
            "throttle.undecided": (self._ending(lambda attempt: attempt.undecided()), (int,)),
            "delay.check": (self._check, (str,)),
            "delay.record": (self._record, (str,)),
        }

    def _enter(self, seat: Seat, account: str, peer: str) -> int:
        short(account, peer)
        mine = self._attempts.setdefault(seat, {})
        if len(mine) >= MOST_ATTEMPTS:
            raise Unavailable(cause="too many logins are under way")
        number = next(self._numbers)
        mine[number] = self._throttle.enter(account, peer)
        return number

    def _ending(self, end: Callable[[Attempted], None]) -> Callable[[Seat, int], None]:
        def ended(seat: Seat, number: int) -> None:
            attempt = self._attempts.get(seat, {}).pop(number, None)
            if attempt is None:
                raise Malformed("there is no such login")
            end(attempt)

        return ended

    def _check(self, seat: Seat, name: str) -> None:
        if self._delay is not None:
            self._delay.check(name)

    def _record(self, seat: Seat, name: str) -> None:
        short(name)
        if self._delay is not None:
            self._delay.record(name)

    def gone(self, seat: Seat) -> None:
        """See desk.Service."""
        for attempt in self._attempts.pop(seat, {}).values():
            attempt.undecided()


class LineThrottle:
    """See auth.throttle.Throttle."""

    def __init__(self, line: Calls) -> None:
        self._line = line

    def enter(self, account: str, peer: str) -> LineAttempt:
        """See Throttle. Raises Unavailable, too."""
        number = self._line.call("throttle.enter", account, peer)
        return LineAttempt(self._line, number)


class LineAttempt:
    """See auth.throttle.Attempt. Never raises: the login has ended as it has."""

    def __init__(self, line: Calls, number: object) -> None:
        self._line = line
        self._number = number

    def refused(self) -> None:
        """See Attempt."""
        self._end("throttle.refused")

    def accepted(self) -> None:
        """See Attempt."""
        self._end("throttle.accepted")

    def undecided(self) -> None:
        """See Attempt."""
        self._end("throttle.undecided")

    def _end(self, how: str) -> None:
        try:
            self._line.call(how, self._number)
        except MailError as error:
            _log.error("the end of a login is not counted: %s", error)


class LineDelay:
    """See auth.logindelay.LoginDelay."""

    def __init__(self, line: Calls) -> None:
        self._line = line

    def check(self, name: str) -> None:
        """See LoginDelay. Raises Unavailable, too."""
        self._line.call("delay.check", name)

    def record(self, name: str) -> None:
        """See LoginDelay. Never raises: the login was good."""
        try:
            self._line.call("delay.record", name)
        except MailError as error:
            _log.error("a login is not counted: %s", error)
