"""The agent for senders who are told that nobody of that name is here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from sesmail.alarms import Alarms
from sesmail.aws.bounces import WITHIN
from sesmail.delivery.ends import tell
from sesmail.delivery.message import Message
from sesmail.delivery.plan import Step
from sesmail.mail.outcome import Outcome

_TOO_OLD = Outcome(554, "5.4.7", "too old to be bounced")
_GUESSED = Outcome(554, "5.7.1", "not bounced, as its recipients are not known for certain")


class BounceAgent:
    """See Agent. `send` is `aws.bounces.Bounces.send`. One request is for all recipients of a message, for SES takes but one a second.

    What SES cannot bounce, or not any more, is REFUSED, so that it is held. SES has nothing that would keep a bounce from being sent
    twice: a step that was ACCEPTED must not be tried again.
    """

    def __init__(
        self,
        send: Callable[[str, Sequence[str]], Outcome],
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._alarms = Alarms(clock)
        self._now = now

    def deliver(self, steps: Sequence[Step], message: Message) -> Mapping[str, Outcome]:
        """See Agent."""
        outcome = self._bounced(tuple(dict.fromkeys(person for step in steps for person in step.recipients)), message)
        self._alarms.hear([outcome])
        for step in steps:
            tell("bounced", step, message, outcome)
        return {step.name: outcome for step in steps}

    def _bounced(self, recipients: Sequence[str], message: Message) -> Outcome:
        arrival = message.arrival
        if arrival.guessed:
            return _GUESSED
        if self._now() - arrival.received > WITHIN:
            return _TOO_OLD
        return self._send(arrival.id, recipients)
