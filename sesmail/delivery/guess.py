"""For whom a message is that no notice tells of, and what becomes of those who were only guessed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sesmail.aws.receipt import Notice
from sesmail.aws.stamp import Stamp
from sesmail.delivery.inbox import Guess, Inbox
from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Bounce, Drop, Hold, Plan, Reason

_VERDICTS = frozenset({Reason.SPAM, Reason.VIRUS, Reason.DMARC})


@dataclass(frozen=True)
class Guessed:
    """`perhaps`: who of the recipients may be anybody."""

    arrival: Arrival
    perhaps: frozenset[str] = frozenset()


def guessed(notice: Notice, stamp: Stamp, inbox: Inbox) -> Guessed:
    """What the place where the message lies and its own header tell. There may be no recipients."""
    told = Arrival(notice.message_id, stamp.sender or "", (), notice.received, stamp.verdicts)
    fixed = inbox.fixed_recipient(notice.key)
    if fixed is not None:
        return Guessed(replace(told, recipients=(fixed,)))
    perhaps = stamp.guessed if inbox.guess is Guess.HEADER else ()
    certain = () if inbox.guess is Guess.NONE else stamp.recipients
    return Guessed(replace(told, recipients=(*certain, *perhaps), guessed=True), frozenset(perhaps))


def without_strangers(plan: Plan, perhaps: Collection[str]) -> Plan:
    """The plan without holding, bouncing and dropping on behalf of these: in To and Cc stands everybody else's address too. What is so
    because of the message itself stays."""
    steps = []
    for step in plan.steps:
        end = step.destination
        if isinstance(end, Hold | Bounce | Drop) and end.reason not in _VERDICTS:
            certain = tuple(person for person in step.recipients if person not in perhaps)
            if certain:
                steps.append(replace(step, recipients=certain))
        else:
            steps.append(step)
    return Plan(tuple(steps))
