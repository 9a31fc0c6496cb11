"""The plan for one message, from its envelope and what its recipients lead to. Pure: every question was asked before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sesmail.delivery.plan import Bounce, Destination, Drop, Forward, Hold, Mailbox, Plan, Reason, Step
from sesmail.delivery.verdicts import Action, Judgement
from sesmail.mail.envelope import Envelope

JUNK = "Junk"
"""The folder of a mailbox for what was found to be spam."""


def route(
    envelope: Envelope,
    resolved: Mapping[str, Sequence[Destination]],
    judgement: Judgement | None = None,
    *,
    junk: str = JUNK,
) -> Plan:
    """Each destination once, with all the recipients that lead there; a command once for each of them. What is held comes last.

    A recipient that `resolved` has nothing for is held. A judgement of HOLD or DROP is about the whole message. JUNK goes into the folder
    `junk` of mailboxes, is neither forwarded nor bounced but held, and is delivered as usual elsewhere, for the message says itself what
    it is. Nobody but an authenticated sender is sent a bounce: else the message is held.
    """
    judged = judgement or Judgement()
    people = tuple(dict.fromkeys(envelope.recipients))
    if judged.action in (Action.HOLD, Action.DROP):
        kind = Hold if judged.action is Action.HOLD else Drop
        return Plan((Step(kind(judged.reason), people),))
    steps: dict[str, Step] = {}
    for person in people:
        for destination in resolved.get(person) or (Hold(Reason.UNKNOWN),):
            step = Step(_allowed(destination, judged, bool(envelope.sender), junk), (person,))
            before = steps.setdefault(step.name, step)
            if person not in before.recipients:
                steps[step.name] = replace(before, recipients=(*before.recipients, person))
    return Plan(tuple(sorted(steps.values(), key=lambda step: isinstance(step.destination, Hold))))


def _allowed(destination: Destination, judged: Judgement, has_sender: bool, junk: str) -> Destination:
    if judged.action is Action.JUNK:
        if isinstance(destination, Mailbox):
            return replace(destination, folder=junk)
        if isinstance(destination, Forward | Bounce):
            return Hold(judged.reason)
    if isinstance(destination, Bounce) and not (has_sender and judged.authenticated):
        return Hold(Reason.NOT_AUTHENTICATED)
    return destination
