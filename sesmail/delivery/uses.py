"""Of which recipients a message came to its end, for whoever counts that."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

from sesmail.delivery.plan import Bounce, Drop, Plan, Reason

Count: TypeAlias = Callable[[Collection[str]], None]
"""Is told of recipients whose mail was delivered, or dropped because they ignore it. Never raises."""


def served(plan: Plan, done: Collection[str], before: Collection[str] = ()) -> tuple[str, ...]:
    """The recipients of steps whose names are in `done`, each once, without those of steps that were done `before`: who gets a message
    in two places is served when he has it in one."""
    now: dict[str, None] = {}
    earlier: set[str] = set()
    for step in plan.steps:
        if step.name in before:
            earlier.update(step.recipients)
        elif step.name in done and _counts(step.destination):
            now.update(dict.fromkeys(step.recipients))
    return tuple(person for person in now if person not in earlier)


def nobody_counts(recipients: Collection[str]) -> None:
    """A Count for where nothing is counted."""


def _counts(destination: object) -> bool:
    if isinstance(destination, Drop):
        return destination.reason is Reason.IGNORED
    return not isinstance(destination, Bounce)
