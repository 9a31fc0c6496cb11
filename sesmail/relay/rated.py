"""A courier that keeps to a sending rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from sesmail.counters import Counter
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.courier import Courier
from sesmail.relay.rate import Rate

# Seconds that a message may wait in its thread.
PATIENCE = 5.0

_throttled = Counter("sesmail_relay_throttled_total", "Messages that the next hop refused because of the rate or the quota.")
_waited = Counter("sesmail_relay_rate_waits_total", "Messages that had to wait for the sending rate, or were put off for it.")

# What couriers say when the next hop was asked too fast, and when its daily quota is used up.
_TOO_FAST = "4.7.1"
_QUOTA = "4.5.3"


class RatedCourier:
    """See courier.Courier. `pause` waits that many seconds. A message that would wait longer than PATIENCE is not tried."""

    def __init__(self, courier: Courier, rate: Rate, pause: Callable[[float], None]) -> None:
        self._courier = courier
        self._rate = rate
        self._pause = pause

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        wait = self._rate.take(len(envelope.recipients), envelope, PATIENCE)
        _waited.add(by=wait > 0)
        if wait > PATIENCE:
            later = Outcome(451, "4.7.1", "waits for its turn, for more is to be sent than may be", wait=wait, tried=False)
            return dict.fromkeys(envelope.recipients, later)
        if wait > 0:
            self._pause(wait)
        outcomes = self._courier.send(envelope, message)
        for outcome in outcomes.values():
            if _is_throttle(outcome):
                _throttled.add()
                self._rate.throttled(outcome.wait)
                break
        return outcomes


def _is_throttle(outcome: Outcome) -> bool:
    if outcome.status == _QUOTA:
        # Without a wait it says that there were too many recipients (RFC 3463 section 3.6).
        return outcome.wait is not None
    # With an alarm it is no question of pace: sending is paused altogether.
    return outcome.status == _TOO_FAST and outcome.alarm is None
