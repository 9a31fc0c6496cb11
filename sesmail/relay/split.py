"""Recipients in groups that a next hop takes at once, and one by one where a group was refused for what may be one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sesmail.mail.outcome import Outcome

MOST = 50
"""Recipients of one message at SES, by its API and by SMTP."""

Once = Callable[[Sequence[str]], tuple[Mapping[str, Outcome], Outcome | None]]
"""Try a group: what became of each; and, where the next hop will take nothing more now, what that is to the others."""

_NOT_YET = Outcome(451, "4.4.7", "not tried yet for want of time")


def carry(recipients: Sequence[str], once: Once, *, late: Callable[[], bool], most: int = MOST) -> dict[str, Outcome]:
    """An outcome for each recipient, by as many calls of `once` as that takes, each with at most `most` of them.

    Whoever of a group was refused by an outcome marked `content` is tried alone, unless he is the only one. When `once` says that it
    is of no use, or when `late()` says so, nobody else is tried: they get a LATER, and those who were served are not asked for again.
    """
    whole = list(dict.fromkeys(recipients))
    outcomes, stop = _in_turn([whole[start : start + most] for start in range(0, len(whole), most)], once, late)
    doubtful = [address for start in range(0, len(whole), most) for address in _doubtful(whole[start : start + most], outcomes)]
    # Even when there is no more time: nobody is refused for another's address.
    return outcomes | _in_turn([[address] for address in doubtful], once, late, stop)[0]


def _doubtful(group: Sequence[str], outcomes: Mapping[str, Outcome]) -> Sequence[str]:
    suspects = [address for address in group if outcomes[address].content]
    return suspects if len(suspects) > 1 else ()


def _in_turn(
    groups: Sequence[Sequence[str]], once: Once, late: Callable[[], bool], stop: Outcome | None = None
) -> tuple[dict[str, Outcome], Outcome | None]:
    outcomes: dict[str, Outcome] = {}
    for group in groups:
        if stop is None and outcomes and late():
            stop = _NOT_YET
        if stop is not None:
            outcomes |= dict.fromkeys(group, stop)
            continue
        got, stop = once(group)
        outcomes |= {address: got[address] for address in group}
    return outcomes, stop
