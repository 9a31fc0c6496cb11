"""Mail that comes in by ourselves, not by SES: what people here send to people here, reports, and what another mail server hands over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from sesmail.delivery.agent import Agents
from sesmail.delivery.boxes import Boxes, StoreOf
from sesmail.delivery.called import called, digest
from sesmail.delivery.carry import carry
from sesmail.delivery.filed import SUFFIX, FiledMessage, id_of
from sesmail.delivery.held import Held
from sesmail.delivery.heldrecord import HeldRecord, Why
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Bounce, Destination, Drop, Hold, Plan, Reason
from sesmail.delivery.progress import Progress
from sesmail.delivery.routing import Routing
from sesmail.delivery.uses import Count, nobody_counts, served
from sesmail.errors import MailError
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict

log = logging.getLogger(__name__)

_NOBODY = Outcome(550, "5.1.1", "no such mailbox")
_REFUSALS = {
    Reason.UNKNOWN: _NOBODY,
    Reason.INACTIVE: Outcome(550, "5.2.1", "this account takes no mail"),
    Reason.DENIED: Outcome(550, "5.7.1", "this account takes no mail"),
    # A bounce that nobody is to be sent: here it is no message of its own.
    Reason.NOT_AUTHENTICATED: _NOBODY,
}
_TROUBLE = Outcome(451, "4.3.0", "the mailbox cannot be reached at the moment, try again later")


def refusal(destination: Destination) -> Outcome | None:
    """What can be said against a recipient who leads there, before there is a message; None where he may have it."""
    if not isinstance(destination, Bounce | Drop | Hold):
        return None
    return _REFUSALS.get(destination.reason, _NOBODY if isinstance(destination, Bounce) else None)


class Local:
    """Plain blocking code. May be asked about several messages at a time, also about one in several threads. `count` hears of each
    recipient at the try at which the message first came to him; a client that did not hear of that, and sends it again, is not known."""

    def __init__(
        self,
        inbox: Inbox,
        routing: Routing,
        agents: Agents,
        store_of: StoreOf,
        *,
        now: Callable[[], float],
        count: Count = nobody_counts,
    ) -> None:
        self._routing = routing
        self._agents = agents
        self._boxes = Boxes(inbox, store_of)
        self._held = Held(inbox)
        self._progress = Progress(inbox)
        self._now = now
        self._count = count

    def deliver(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See interfaces.Deliver. `message` is seekable and is read from where it stands, not into memory.

        Who is not known, denied or inactive is refused. Who is to be held is accepted, and the message held for him. Never raises.
        """
        outcomes: dict[str, Outcome] = {}
        try:
            plan, outcomes = self._plan(envelope)
            arrival = Arrival(_id(envelope, message), envelope.sender, envelope.recipients, self._now())
            outcomes |= self._delivered(plan, FiledMessage(message, arrival, self._boxes))
        except Exception as error:
            _log(error)
        return {recipient: outcomes.get(recipient, _TROUBLE) for recipient in envelope.recipients}

    def _plan(self, envelope: Envelope) -> tuple[Plan, dict[str, Outcome]]:
        """The plan for all of whom it can be found out where they are, and what the others are to hear."""
        try:
            return self._routing.plan(envelope.sender, envelope.recipients), {}
        except Exception as error:
            _log(error)
        people = [recipient for recipient in envelope.recipients if self._is_found(envelope.sender, recipient)]
        plan = self._routing.plan(envelope.sender, people) if people else Plan(())
        return plan, {recipient: _TROUBLE for recipient in envelope.recipients if recipient not in people}

    def _is_found(self, sender: str, recipient: str) -> bool:
        try:
            self._routing.plan(sender, (recipient,))
        except Exception:
            return False
        return True

    def _delivered(self, plan: Plan, message: FiledMessage) -> Mapping[str, Outcome]:
        refused = {step.name: said for step in plan.steps if (said := refusal(step.destination)) is not None}
        rest = Plan(tuple(step for step in plan.steps if step.name not in refused))
        id = message.arrival.id
        recorded = self._progress.done(id) if _is_partial(rest) else frozenset()
        carried = carry(rest, message, self._agents, recorded)
        done = recorded | carried.with_verdict(Verdict.ACCEPTED)
        outcomes = {**refused, **carried.outcomes, **self._hold(rest, message)}
        if _is_partial(rest):
            self._record(id, done, recorded, all(said.verdict is not Verdict.LATER for said in outcomes.values()))
        self._count(served(rest, done, recorded))
        return _by_recipient(plan, outcomes)

    def _hold(self, plan: Plan, message: FiledMessage) -> Mapping[str, Outcome]:
        why = {
            recipient: Why(step.destination.reason)
            for step in plan.held
            if isinstance(step.destination, Hold)
            for recipient in step.recipients
        }
        if not why:
            return {}
        name = message.arrival.id.removesuffix(SUFFIX)
        outcome = Outcome(250, "2.1.5", f"Ok taken as {name}", id=message.arrival.id)
        try:
            self._held.keep(message, HeldRecord.of(message.arrival, why))
        except Exception as error:
            _log(error)
            outcome = _TROUBLE
        return {step.name: outcome for step in plan.held}

    def _record(self, id: str, done: frozenset[str], recorded: frozenset[str], ended: bool) -> None:
        try:
            if not ended and (done != recorded or self._progress.owes(id)):
                self._progress.write(id, done)
            elif ended and recorded:
                self._progress.forget(id)
        except MailError as error:
            log.warning("message %s: what is done cannot be recorded, and may be done twice: %s", id, error)


def _id(envelope: Envelope, message: BinaryIO) -> str:
    if envelope.queue_id is None:
        return id_of(message)
    return called(digest(message), envelope.queue_id, envelope.sender, envelope.recipients) + SUFFIX


def _is_partial(plan: Plan) -> bool:
    """Whether somebody may have got the message in one place and not in another: then he will be tried as a whole again."""
    people = [recipient for step in plan.steps for recipient in step.recipients]
    return len(set(people)) < len(people)


def _by_recipient(plan: Plan, outcomes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
    heard: dict[str, list[Outcome]] = {}
    for step in plan.steps:
        for recipient in step.recipients:
            heard.setdefault(recipient, []).append(outcomes[step.name])
    return {recipient: _worst(said) for recipient, said in heard.items()}


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Trouble before refusal before success: what reached one of two places is tried again for the other."""
    order = {Verdict.ACCEPTED: 0, Verdict.REFUSED: 1, Verdict.LATER: 2}
    return max(outcomes, key=lambda outcome: order[outcome.verdict])


def _log(error: Exception) -> None:
    log.warning("local delivery: %s", error, exc_info=not isinstance(error, MailError))
