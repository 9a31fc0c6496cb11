"""How fast all workers together send: the pace of the next hop, and what each account may have in an hour."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from hashlib import blake2b

from sesmail.errors import MailError, Malformed, Unavailable
from sesmail.relay.hourly import Spent
from sesmail.relay.pace import Quota
from sesmail.relay.rate import Paced
from sesmail.service.crew.desk import Seat, SeatCalls, short
from sesmail.service.crew.line import Calls

_UNLIMITED = -1.0
# Seconds. While the parent does not answer nothing is sent.
_LATER = 60.0


class DeskPace:
    """See desk.Service. A place in the line is its message's, whichever worker asks for it."""

    def __init__(self, pace: Paced) -> None:
        self._pace = pace
        self.calls: SeatCalls = {
            "pace.stale": (lambda seat: pace.stale(), ()),
            "pace.learn": (self._learn, (float, float, float, bool)),
            "pace.take": (self._take, (int, str, float)),
            "pace.throttled": (self._throttled, (float,)),
        }

    def _learn(self, seat: Seat, per_second: float, per_day: float, sent: float, enabled: bool) -> None:
        self._pace.learn(Quota(per_second, None if per_day == _UNLIMITED else per_day, sent, enabled))

    def _take(self, seat: Seat, count: int, key: str, patience: float) -> float:
        short(key)
        return self._pace.take(_some(count), key, patience)

    def _throttled(self, seat: Seat, wait: float) -> None:
        self._pace.throttled(wait)

    def gone(self, seat: Seat) -> None:
        """See desk.Service. Places that it had are given up in time, or taken up by whoever sends its messages."""


class LinePace:
    """See relay.rate.Paced."""

    def __init__(self, line: Calls) -> None:
        self._line = line

    def stale(self) -> bool:
        """See Paced. Never raises."""
        try:
            return self._line.call("pace.stale") is True
        except Unavailable:
            return False

    def learn(self, quota: Quota) -> None:
        """See Paced. Never raises: it is asked for again."""
        per_day = _UNLIMITED if quota.per_day is None else quota.per_day
        with suppress(MailError):
            self._line.call("pace.learn", quota.per_second, per_day, quota.sent_last_day, quota.enabled)

    def take(self, count: int, key: Hashable = None, patience: float = 5.0) -> float:
        """See Paced. A wait of a minute when the parent does not answer."""
        name = blake2b(repr(key).encode(errors="surrogatepass"), digest_size=16).hexdigest()
        try:
            wait = self._line.call("pace.take", count, name, patience)
        except Unavailable:
            return _LATER
        return float(wait) if isinstance(wait, int | float) else _LATER

    def throttled(self, wait: float | None = None) -> None:
        """See Paced. Never raises: the message was carried as far as it was."""
        with suppress(MailError):
            self._line.call("pace.throttled", wait or 0.0)


class DeskHourly:
    """See desk.Service."""

    def __init__(self, hourly: Spent) -> None:
        self._hourly = hourly
        self.calls: SeatCalls = {
            "hourly.check": (self._check, (str, int)),
            "hourly.spend": (self._spend, (str, int)),
        }

    def _check(self, seat: Seat, account: str, recipients: int) -> None:
        short(account)
        self._hourly.check(account, _some(recipients))

    def _spend(self, seat: Seat, account: str, recipients: int) -> None:
        short(account)
        self._hourly.spend(account, _some(recipients))

    def gone(self, seat: Seat) -> None:
        """See desk.Service. What was spent stays spent."""


class LineHourly:
    """See relay.hourly.Hourly. Raises Unavailable, too."""

    def __init__(self, line: Calls) -> None:
        self._line = line

    def check(self, account: str, recipients: int) -> None:
        """See Hourly."""
        self._line.call("hourly.check", account, recipients)

    def spend(self, account: str, recipients: int) -> None:
        """See Hourly."""
        self._line.call("hourly.spend", account, recipients)


def _some(recipients: int) -> int:
    if recipients < 0:
        raise Malformed("less than nobody")
    return recipients
