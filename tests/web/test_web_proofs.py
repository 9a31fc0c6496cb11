"""Who may have certificates fetched, and how often."""

from __future__ import annotations

import pytest

from sesmail.errors import Unavailable
from sesmail.web.proofs import Budget


class Now:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def allowed(budget: Budget, url: str, peer: str) -> bool:
    try:
        budget.spend(url, peer)
    except Unavailable:
        return False
    return True


def test_there_are_so_many_fetches_at_once_and_then_one_now_and_then() -> None:
    now = Now()
    budget = Budget(now, burst=3, every=2.0)
    assert [allowed(budget, str(n), "192.0.2.1") for n in range(5)] == [True, True, True, False, False]
    now.seconds += 2
    assert [allowed(budget, str(n), "192.0.2.1") for n in range(2)] == [True, False]
    now.seconds += 1e6
    assert sum(allowed(budget, str(n), "192.0.2.1") for n in range(9)) == 3


def test_an_url_that_failed_is_left_alone_for_a_while_whoever_asks() -> None:
    now = Now()
    budget = Budget(now, pause=30.0)
    budget.failed("u", "192.0.2.1")
    assert not allowed(budget, "u", "198.51.100.1")
    assert allowed(budget, "v", "198.51.100.1")
    now.seconds += 30
    assert allowed(budget, "u", "198.51.100.1")


@pytest.mark.parametrize(("peer", "same"), [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::ffff")])
def test_who_has_made_one_up_cannot_have_the_next_fetched(peer: str, same: str) -> None:
    budget = Budget(Now())
    budget.failed("made-up", peer)
    assert not allowed(budget, "another", same)
    assert allowed(budget, "another", "198.51.100.1")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "unix"])
def test_a_proxy_of_ones_own_is_not_blamed_for_those_behind_it(peer: str) -> None:
    budget = Budget(Now())
    budget.failed("made-up", peer)
    assert allowed(budget, "another", peer)


def test_what_is_remembered_is_bounded() -> None:
    budget = Budget(Now(), limit=10)
    for number in range(1000):
        budget.failed(f"u{number}", f"192.0.2.{number % 256}")
    assert len(budget._failed) == 10
