"""Sessions: how long they last, how many there may be, and that nothing that is kept lets anybody in."""

from __future__ import annotations

import pytest

from sesmail.interfaces import Account
from sesmail.web.sessions import Sessions

TOM, ANN = (Account(f"{name}@example.com", None, None) for name in ("tom", "ann"))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock, idle=60, lifetime=600, limit=5, each=3)


def test_a_session_is_found_by_its_id_alone(sessions: Sessions) -> None:
    id, session = sessions.begin(TOM)
    assert sessions.find(id) is session
    assert sessions.find(id + "x") is None
    assert sessions.find("\ud800") is None


def test_ids_and_tokens_are_long_and_never_the_same(sessions: Sessions) -> None:
    begun = [sessions.begin(TOM) for _ in range(50)]
    texts = {text for id, session in begun for text in (id, session.csrf)}
    assert len(texts) == 100
    assert min(map(len, texts)) >= 43


def test_a_session_ends_when_it_is_not_used(clock: Clock, sessions: Sessions) -> None:
    id, _ = sessions.begin(TOM)
    for _ in range(5):
        clock.now += 59
        assert sessions.find(id) is not None
    clock.now += 60
    assert sessions.find(id) is None
    clock.now -= 60
    assert sessions.find(id) is None


def test_a_session_ends_in_the_end_however_much_it_is_used(clock: Clock, sessions: Sessions) -> None:
    id, _ = sessions.begin(TOM)
    for _ in range(19):
        clock.now += 30
        assert sessions.find(id) is not None
    clock.now += 30
    assert sessions.find(id) is None


def test_an_ended_session_is_gone(sessions: Sessions) -> None:
    id, _ = sessions.begin(TOM)
    sessions.end(id)
    sessions.end(id)
    assert sessions.find(id) is None


def test_an_account_has_so_many_sessions_and_loses_the_one_longest_unused(sessions: Sessions) -> None:
    other, _ = sessions.begin(ANN)
    first, second, third = (sessions.begin(TOM)[0] for _ in range(3))
    assert sessions.find(first)
    fourth, _ = sessions.begin(TOM)
    assert [sessions.find(id) is not None for id in (other, first, second, third, fourth)] == [True, True, False, True, True]


def test_there_are_so_many_in_all(sessions: Sessions) -> None:
    ids = [sessions.begin(Account(f"user{number}", None, None))[0] for number in range(8)]
    assert len(sessions) == 5
    assert [sessions.find(id) is not None for id in ids] == [False] * 3 + [True] * 5


def test_what_is_over_takes_no_room(clock: Clock, sessions: Sessions) -> None:
    for number in range(5):
        sessions.begin(Account(f"user{number}", None, None))
    clock.now += 60
    sessions.begin(TOM)
    assert len(sessions) == 1


def test_what_is_kept_shows_neither_ids_nor_tokens(sessions: Sessions) -> None:
    id, session = sessions.begin(TOM)
    assert id not in repr(vars(sessions))
    assert session.csrf not in repr(session)
