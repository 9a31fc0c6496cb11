"""Recipients are tried in groups, and alone where one of them may be why a group was refused."""

from __future__ import annotations

from collections.abc import Sequence

from sesmail.mail.outcome import Outcome
from sesmail.relay.split import carry

_OK = Outcome(250, "2.0.0", "ok")
_BAD = Outcome(501, "5.1.3", "bad address", content=True)
_SUSPENDED = Outcome(550, "5.7.1", "suspended")
_LATER = Outcome(451, "4.7.1", "slow down")
_MANY = [f"{number}@example.org" for number in range(120)]


class Hop:
    """Refuses a whole group for one bad address; after `most` calls it throttles."""

    def __init__(self, *bad: str, refusal: Outcome = _BAD, most: int = 10_000) -> None:
        self.asked: list[Sequence[str]] = []
        self._bad, self._refusal, self._most = set(bad), refusal, most

    def once(self, group: Sequence[str]) -> tuple[dict[str, Outcome], Outcome | None]:
        self.asked.append(list(group))
        if len(self.asked) > self._most:
            return dict.fromkeys(group, _LATER), _LATER
        return dict.fromkeys(group, self._refusal if self._bad & set(group) else _OK), None


def never() -> bool:
    return False


def test_no_group_has_more_than_fifty_and_everybody_is_in_one() -> None:
    hop = Hop()
    assert carry(_MANY, hop.once, late=never) == dict.fromkeys(_MANY, _OK)
    assert [len(group) for group in hop.asked] == [50, 50, 20]
    assert [address for group in hop.asked for address in group] == _MANY


def test_one_bad_address_costs_nobody_else_his_mail() -> None:
    hop = Hop("60@example.org")
    outcomes = carry(_MANY, hop.once, late=never)
    assert outcomes == dict.fromkeys(_MANY, _OK) | {"60@example.org": _BAD}
    assert len(hop.asked) == 3 + 50


def test_who_is_refused_alone_is_not_tried_again() -> None:
    hop = Hop("bad@example.org")
    assert carry(["bad@example.org"], hop.once, late=never) == {"bad@example.org": _BAD}
    assert len(hop.asked) == 1


def test_a_refusal_of_the_account_is_not_tried_for_each() -> None:
    hop = Hop("0@example.org", refusal=_SUSPENDED)
    assert carry(_MANY[:50], hop.once, late=never) == dict.fromkeys(_MANY[:50], _SUSPENDED)
    assert len(hop.asked) == 1


def test_a_throttle_ends_the_attempt() -> None:
    hop = Hop(most=1)
    outcomes = carry(_MANY, hop.once, late=never)
    assert list(outcomes.values()) == [_OK] * 50 + [_LATER] * 70
    assert len(hop.asked) == 2


def test_a_throttle_among_single_ones_ends_the_attempt() -> None:
    hop = Hop("0@example.org", most=11)
    outcomes = carry(_MANY[:50], hop.once, late=never)
    assert list(outcomes.values()) == [_BAD] + [_OK] * 9 + [_LATER] * 40
    assert len(hop.asked) == 12


def test_nobody_is_refused_for_anothers_address_when_there_is_no_time_to_try_him_alone() -> None:
    hop = Hop("0@example.org", most=1)
    assert set(carry(_MANY, hop.once, late=never).values()) == {_LATER}
    hop = Hop("0@example.org")
    outcomes = carry(_MANY[:60], hop.once, late=lambda: len(hop.asked) >= 2)
    assert [outcome.code for outcome in outcomes.values()] == [501] + [451] * 49 + [250] * 10


def test_when_time_is_up_the_rest_waits_for_another_attempt() -> None:
    hop = Hop("0@example.org")
    outcomes = carry(_MANY[:50], hop.once, late=lambda: len(hop.asked) >= 5)
    assert len(hop.asked) == 5
    assert [outcome.code for outcome in outcomes.values()] == [501, *[250] * 3, *[451] * 46]


def test_trouble_of_one_recipient_stops_nobody_else() -> None:
    full = Outcome(452, "4.2.2", "mailbox full")

    def once(group: Sequence[str]) -> tuple[dict[str, Outcome], Outcome | None]:
        return {address: full if address == "0@example.org" else _OK for address in group}, None

    assert carry(_MANY, once, late=never) == dict.fromkeys(_MANY, _OK) | {"0@example.org": full}


def test_who_alone_was_left_of_a_group_was_tried_alone() -> None:
    asked = []

    def once(group: Sequence[str]) -> tuple[dict[str, Outcome], Outcome | None]:
        asked.append(group)
        return {"a@example.org": _SUSPENDED, "b@example.org": _BAD}, None

    assert carry(["a@example.org", "b@example.org"], once, late=never)["b@example.org"] is _BAD
    assert len(asked) == 1


def test_a_recipient_named_twice_is_asked_for_once() -> None:
    hop = Hop()
    assert carry(["a@example.org", "a@example.org"], hop.once, late=never) == {"a@example.org": _OK}
    assert hop.asked == [["a@example.org"]]
