"""Brings the messages of the spool to their next hop: attempts, what follows from their outcomes, and when to try again."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

from sesmail.counters import Counter, Histogram
from sesmail.errors import Busy, MailError, NoSuchMessage
from sesmail.interfaces import Deliver
from sesmail.log import under
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay import accounts
from sesmail.relay.bounce import Bounces
from sesmail.relay.courier import Courier
from sesmail.relay.message import Message
from sesmail.relay.retry import Retry
from sesmail.relay.spool import UNCLAIMED, Spool

log = logging.getLogger(__name__)

_attempts = Counter("sesmail_relay_attempts_total", "Attempts to send a message, the first one and those again.", ("attempt",))
_answers = Counter(
    "sesmail_relay_recipients_total",
    "What the next hop said, by recipient: accepted, later or refused, at the first attempt or again.",
    ("attempt", "verdict"),
)
_carrying = Histogram("sesmail_relay_attempt_seconds", "Time that an attempt took.")
for _which in ("first", "again"):
    _attempts.expect(_which)
    _answers.expect(*((_which, verdict.name.lower()) for verdict in Verdict))

# Seconds between two looks for messages that came in without this process.
_ADOPT = 300.0
_PIECE = 256 * 1024

_TROUBLE = Outcome(451, "4.3.0", "temporary trouble, will be tried again")
_NOT_SAID = Outcome(451, "4.3.0", "no answer for this recipient, will be tried again")


class Ear:
    """One client that is held while an attempt runs: thread-safe, and exactly one of the two sides wins, once."""

    def __init__(self) -> None:
        self._open = threading.Lock()

    def hears(self) -> bool:
        """True when the client will be told: claimed by an attempt before a refused message leaves without a report."""
        return self._open.acquire(blocking=False)

    def gives_up(self) -> bool:
        """True when the client need not wait any more: claimed by the door, which then says that the message is queued."""
        return self._open.acquire(blocking=False)


def answer(id: str, outcomes: Mapping[str, Outcome]) -> Outcome:
    """What the client of a message hears: a refusal when everybody was refused, else that the message was taken."""
    accepted = next((outcome for outcome in outcomes.values() if outcome.verdict is Verdict.ACCEPTED), None)
    if accepted is not None:
        return Outcome(250, "2.0.0", f"Ok {accepted.id or accepted.text}", id=accepted.id)
    if outcomes and all(outcome.verdict is Verdict.REFUSED for outcome in outcomes.values()):
        return next(iter(outcomes.values()))
    return Outcome(250, "2.0.0", f"Ok queued as {id}")


class Queue:
    """Blocking and thread-safe; different messages go side by side, one message has one sender at a time.

    `now` gives Unix time, `chance` numbers in [0, 1). Reports go to `deliver`, everything else to `courier`, which also knows the
    sending rate.
    """

    def __init__(
        self,
        spool: Spool,
        courier: Courier,
        deliver: Deliver,
        *,
        retry: Retry,
        hostname: str,
        now: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._spool = spool
        self._courier = courier
        self._deliver = deliver
        self._retry = retry
        self._bounces = Bounces(spool, deliver, hostname)
        self._now = now
        self._chance = chance
        self._adopted = now()

    def send(self, envelope: Envelope, file: BinaryIO) -> str:
        """See interfaces.Send. The message is due at once."""
        draft = self._spool.begin(envelope, attempt=False)
        try:
            shutil.copyfileobj(file, draft, _PIECE)
            draft.commit()
        finally:
            draft.discard()
        accounts.accepted(draft.id, envelope)
        return draft.id

    def due(self, limit: int = 50) -> Sequence[str]:
        """Up to `limit` messages to attempt now, the longest due first. Each comes up again if nobody attempts it. Never raises.

        To be called every few seconds, also when nothing is known to be due.
        """
        now = self._now()
        try:
            self._spool.settle()
            for id in self._spool.wishes():
                self._spool.schedule.put(id, now)
            if not self._adopted <= now < self._adopted + _ADOPT:
                self._adopted = now
                self._spool.adopt()
        except MailError as error:
            log.error("the spool cannot be looked through: %s", error)
        return self._spool.schedule.take(now, limit, UNCLAIMED, self._spool.busy)

    def next_due(self) -> float | None:
        """Unix time when the next message is due, None when none waits. Others may come in earlier."""
        return self._spool.schedule.next()

    def attempt(self, id: str, ear: Ear | None = None) -> Mapping[str, Outcome]:
        """One attempt to bring the message to everybody who has not got it. Returns the last outcome for each recipient, and
        nothing when the message is gone or in other hands.

        Refused recipients are told durably on return: by `ear`, if all are refused and it hears, else by a report. Accepted ones are
        recorded durably if anybody is left; if not, the message has left the spool, durably with the next
        `due`. Never raises.
        """
        try:
            with self._spool.take(id) as message, under(id):
                return self._attempted(message, ear)
        except (Busy, NoSuchMessage):
            return {}
        except Exception:
            log.exception("message %s: the attempt failed, it will be repeated", id)
            return {}

    def _attempted(self, message: Message, ear: Ear | None) -> Mapping[str, Outcome]:
        # Left over by an attempt that was broken off: said now, it is the same report as then.
        self._return(message)
        outcomes = self._carried(message)
        self._settle(message, outcomes)
        if _all_refused(message, outcomes) and ear is not None and ear.hears():
            if message.leave(durably=True):
                accounts.refused(message, outcomes)
                return outcomes
            # It will be tried again, so the client must not hear that it was refused.
            message.state.outcomes.clear()
            outcomes = dict.fromkeys(outcomes, _TROUBLE)
        self._finish(message)
        return outcomes

    def _carried(self, message: Message) -> dict[str, Outcome]:
        """What is heard for each recipient who is still to get it."""
        pending = message.pending()
        if not pending:
            return {}
        if message.in_doubt:
            log.warning("message %s may have been sent before the last stop, and is sent again", message.id)
        carry = self._deliver if message.record.report else self._courier.send
        try:
            message.begin(self._now())
            with _carrying.time():
                said = carry(replace(message.envelope, recipients=pending), message.body())
        except MailError as error:
            log.error("message %s: %s", message.id, error)
            said = dict.fromkeys(pending, _TROUBLE)
        except Exception:
            log.exception("message %s: the courier failed", message.id)
            said = dict.fromkeys(pending, _TROUBLE)
        accounts.sent(message, said)
        heard = {recipient: said.get(recipient, _NOT_SAID) for recipient in pending}
        _count(message, heard)
        return heard

    def _settle(self, message: Message, outcomes: Mapping[str, Outcome]) -> None:
        """Take down what was heard; who was to get it later for too long is refused."""
        state, now = message.state, self._now()
        state.outcomes.update(outcomes)
        if outcomes:
            state.at = now
        state.tries += any(outcome.tried for outcome in outcomes.values())
        if self._retry.over(message.record.arrived, now):
            for recipient in message.pending():
                state.outcomes[recipient] = _given_up(state.outcomes[recipient])

    def _finish(self, message: Message) -> None:
        if message.state.unreturned():
            if message.record.report:
                self._hold(message)
                return
            # First of all, so that a crash from here on sends nothing to anybody a second time.
            message.keep(self._due(message))
            self._return(message)
        if message.pending() or message.state.unreturned() or not message.leave(durably=False):
            message.keep(self._due(message))

    def _return(self, message: Message) -> None:
        unreturned = message.state.unreturned()
        if unreturned and not message.record.report:
            self._bounces.send(message, unreturned)

    def _hold(self, message: Message) -> None:
        """A report that nobody takes is for the admin: it is never reported on itself (RFC 5321 section 4.5.5)."""
        message.keep(self._now())
        message.hold()
        accounts.held(message, "a report that cannot be delivered")

    def _due(self, message: Message) -> float:
        now = self._now()
        latest = [message.state.outcomes[recipient] for recipient in message.pending()]
        wait = max((outcome.wait or 0.0 for outcome in latest), default=0.0)
        if not latest or any(outcome.tried for outcome in latest):
            wait = max(wait, self._retry.wait(message.state.tries, self._chance))
        # The last attempt is made when its time is over, so that the sender hears of it then.
        return min(now + wait, max(message.record.arrived + self._retry.lifetime, now + self._retry.first))


def _count(message: Message, heard: Mapping[str, Outcome]) -> None:
    attempt = "again" if message.state.tries else "first"
    _attempts.add(attempt)
    for outcome in heard.values():
        _answers.add(attempt, outcome.verdict.name.lower())


def _all_refused(message: Message, outcomes: Mapping[str, Outcome]) -> bool:
    refused = [recipient for recipient, outcome in outcomes.items() if outcome.verdict is Verdict.REFUSED]
    return set(refused) == set(message.envelope.recipients) and not message.state.returned


def _given_up(outcome: Outcome) -> Outcome:
    # RFC 3463 section 3.5: X.4.7, delivery time expired.
    return Outcome(554, "5.4.7", f"given up after too long a time; the last answer was: {outcome.reply}", alarm=outcome.alarm)
