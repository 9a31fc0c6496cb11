"""Recipients in groups that a next hop takes at once, and one by one where a group was refused for what may be one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sesmail.mail.outcome import Outcome, Verdict

MOST = 50
"""Recipients of one message at SES, by its API and by SMTP."""

Once = Callable[[Sequence[str]], Mapping[str, Outcome]]

_NOT_YET = Outcome(451, "4.4.7", "not tried yet for want of time")


def carry(recipients: Sequence[str], once: Once, *, late: Callable[[], bool], most: int = MOST) -> dict[str, Outcome]:
    """An outcome for each recipient, by as many calls of `once` as that takes, each with at most `most` of them.

    When everybody of a group was refused by an outcome marked `content`, each is tried alone. When a whole group got a LATER, or `late()`
    says so, nobody else is tried: they get a LATER too, so that those who were served are not asked for again.
    """
    whole = list(dict.fromkeys(recipients))
    groups = [whole[start : start + most] for start in range(0, len(whole), most)]
    return _in_turn(groups, lambda group: _group(group, once, late), late)


def _group(group: Sequence[str], once: Once, late: Callable[[], bool]) -> Mapping[str, Outcome]:
    got = once(group)
    if len(group) > 1 and all(got[address].content for address in group):
        return _in_turn([[address] for address in group], once, late)
    return got


def _in_turn(groups: Sequence[Sequence[str]], once: Once, late: Callable[[], bool]) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    stop: Outcome | None = None
    for group in groups:
        got = dict.fromkeys(group, stop) if stop else once(group)
        outcomes |= {address: got[address] for address in group}
        stop = stop or _reason_to_stop(got, late)
    return outcomes


def _reason_to_stop(got: Mapping[str, Outcome], late: Callable[[], bool]) -> Outcome | None:
    if all(outcome.verdict is Verdict.LATER for outcome in got.values()):
        return next(iter(got.values()))
    return _NOT_YET if late() else None
