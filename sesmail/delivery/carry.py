"""The steps of one message, each given to whoever delivers there; what came of them together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sesmail.delivery.agent import Agent, Agents
from sesmail.delivery.ends import failed
from sesmail.delivery.message import Message
from sesmail.delivery.plan import Drop, Hold, Plan, Step
from sesmail.errors import NoSuchMessage
from sesmail.log import fate, lists
from sesmail.mail.outcome import Outcome, Verdict

log = logging.getLogger(__name__)

_DONE = Outcome(250, "2.1.5", "Ok")
_SILENT = Outcome(451, "4.3.0", "temporary trouble here, try again later")
_NO_AGENT = Outcome(554, "5.3.5", "nothing here delivers to such a destination")


@dataclass(frozen=True)
class Carried:
    """An outcome for the name of every step but those that hold the message."""

    outcomes: Mapping[str, Outcome]

    def with_verdict(self, verdict: Verdict) -> frozenset[str]:
        """The names of the steps that ended so."""
        return frozenset(name for name, outcome in self.outcomes.items() if outcome.verdict is verdict)


def carry(plan: Plan, message: Message, agents: Agents, done: frozenset[str] = frozenset()) -> Carried:
    """Try every step once, but for those whose names are `done` and count as ACCEPTED. Raises NoSuchMessage when the message is gone."""
    outcomes: dict[str, Outcome] = {}
    by_kind: dict[type, list[Step]] = {}
    for step in plan.steps:
        if step.name in done:
            outcomes[step.name] = _DONE
        elif isinstance(step.destination, Drop):
            outcomes[step.name] = _dropped(step, step.destination, message)
        elif not isinstance(step.destination, Hold):
            by_kind.setdefault(type(step.destination), []).append(step)
    for kind, steps in by_kind.items():
        outcomes |= _given(steps, message, agents.get(kind), kind)
    return Carried(outcomes)


def _given(steps: Sequence[Step], message: Message, agent: Agent | None, kind: type) -> Mapping[str, Outcome]:
    if agent is None:
        log.error("message %s cannot be delivered: nothing is configured for %s", message.arrival.id, kind.__name__.lower())
        return {step.name: _NO_AGENT for step in steps}
    try:
        outcomes = agent.deliver(steps, message)
    except NoSuchMessage:
        raise
    except Exception as error:
        return {step.name: failed(step, message, error) for step in steps}
    return {step.name: outcomes.get(step.name, _SILENT) for step in steps}


def _dropped(step: Step, drop: Drop, message: Message) -> Outcome:
    arrival = message.arrival
    for to in lists(step.recipients):
        fate("dropped", id=arrival.id, sender=arrival.sender, to=to, reason=drop.reason.value)
    return _DONE
