"""One try to bring one message to everybody, and what becomes of its original then."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass

from sesmail.delivery.agent import Agents
from sesmail.delivery.carry import Carried, carry
from sesmail.delivery.copy import StoredMessage
from sesmail.delivery.held import Held
from sesmail.delivery.heldrecord import HeldRecord, Why
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.plan import Hold, Mailbox, Plan, Reason
from sesmail.delivery.progress import Progress
from sesmail.delivery.uses import Count, served
from sesmail.errors import MailError, NoSuchMessage, Unavailable
from sesmail.mail.outcome import Verdict

log = logging.getLogger(__name__)


class Sorted(enum.Enum):
    """What became of a message.

    DONE: everybody has it, and the original is gone. HELD: everybody but those it is held for. SWEPT: those have it who were guessed, and it
    waits for its notice. GONE: it was done before. IGNORED: it is nothing that came in.
    """

    DONE = "done"
    HELD = "held"
    SWEPT = "swept"
    GONE = "gone"
    IGNORED = "ignored"


class Source(enum.Enum):
    """Where the original lies."""

    INCOMING = "incoming"
    SWEPT = "swept"
    HELD = "held"


@dataclass(frozen=True)
class _State:
    """How far a try has come. `recorded`: the steps that were done at the last one."""

    source: Source
    key: str
    message: StoredMessage
    plan: Plan
    carried: Carried
    recorded: frozenset[str]

    @property
    def id(self) -> str:
        return self.message.arrival.id

    @property
    def done(self) -> frozenset[str]:
        return self.recorded | self.carried.with_verdict(Verdict.ACCEPTED)

    @property
    def held_for(self) -> dict[str, Why]:
        return _held_for(self.plan, self.carried)

    @property
    def served(self) -> tuple[str, ...]:
        return served(self.plan, self.done, self.recorded)


class Journey:
    """All destinations first, then what is to be remembered, the original last, and after that what is only counted. `delete` and `count`
    as Sorter has them."""

    def __init__(self, inbox: Inbox, agents: Agents, delete: Callable[[str], None], count: Count) -> None:
        self._inbox = inbox
        self._agents = agents
        self._delete = delete
        self._count = count
        self._progress = Progress(inbox)
        self._held = Held(inbox)

    def go(self, source: Source, key: str, message: StoredMessage, plan: Plan, *, again: bool) -> Sorted:
        """Try once; `again`: it was tried before. Raises NoSuchMessage when the original is gone, Unavailable when it must come again."""
        message.look()
        recorded: frozenset[str] = frozenset()
        if again or source is not Source.INCOMING or not _is_simple(plan):
            recorded = self._progress.done(message.arrival.id)
        carried = carry(plan, message, self._agents, recorded)
        state = _State(source, key, message, plan, carried, recorded)
        try:
            if later := carried.with_verdict(Verdict.LATER):
                raise Unavailable(cause=f"{len(later)} of {len(plan.steps)} destinations must be tried again")
            end = self._end(state)
        except NoSuchMessage:
            raise
        except Exception:
            self._remember(state)
            self._count(state.served)
            raise
        self._count(state.served)
        return end

    def _end(self, state: _State) -> Sorted:
        arrival = state.message.arrival
        why = state.held_for
        if why or arrival.unreadable or not state.plan.steps:
            self._hold(state, HeldRecord.of(arrival, why))
            return Sorted.HELD
        if arrival.guessed and self._inbox.notices:
            self._write(state)
            state.message.put_at(self._inbox.store, self._inbox.swept + state.id, arrival.recipients)
            self._remove(state)
            return Sorted.SWEPT
        self._remove(state)
        if state.recorded:
            self._forget(state.id)
        return Sorted.DONE

    def _hold(self, state: _State, record: HeldRecord) -> None:
        self._write(state)
        if state.source is Source.HELD:
            self._held.note(state.id, record)
        else:
            self._held.keep(state.message, record)
            self._delete(state.key)

    def _remove(self, state: _State) -> None:
        if state.source is Source.HELD:
            self._held.forget(state.id)
        else:
            self._delete(state.key)

    def _write(self, state: _State) -> None:
        if state.done != state.recorded or self._progress.owes(state.id):
            self._progress.write(state.id, state.done)

    def _remember(self, state: _State) -> None:
        try:
            self._write(state)
        except MailError as error:
            log.warning("message %s: what is done cannot be recorded, and may be done twice: %s", state.id, error)

    def _forget(self, id: str) -> None:
        try:
            self._progress.forget(id)
        except MailError as error:
            # The message is done. What stays here expires.
            log.warning("message %s: its record of progress cannot be removed: %s", id, error)


def _is_simple(plan: Plan) -> bool:
    """Whether it shows where the message goes if that is done."""
    return len(plan.steps) == 1 and isinstance(plan.steps[0].destination, Mailbox)


def _held_for(plan: Plan, carried: Carried) -> dict[str, Why]:
    why: dict[str, Why] = {}
    refused = carried.with_verdict(Verdict.REFUSED)
    for step in plan.steps:
        if step.name in refused:
            for recipient in step.recipients:
                why.setdefault(recipient, Why(Reason.REFUSED, carried.outcomes[step.name].reply))
        elif isinstance(step.destination, Hold):
            for recipient in step.recipients:
                why.setdefault(recipient, Why(step.destination.reason))
    return why
