"""A disk without room: 452 before anything is lost, nothing half-left, and what was heard from the next hop is not forgotten."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sesmail.errors import Limited, Unavailable
from sesmail.relay.draft import Draft
from tests.relay.post import BEGAN, EVERYWHERE, LATER, MESSAGE, NO, OK, Post, each, every, opened, to, turns

BOB, EVE = "bob@example.net", "eve@example.net"
DAY = 86_400.0


@contextmanager
def full(octets: int = 120) -> Iterator[None]:
    """No file grows beyond so many octets, as on a disk that is full; what has its room already can be written over."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_and_commit(draft: Draft) -> None:
    for _ in range(100):
        draft.write(MESSAGE)
    draft.commit()


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "spool")


@pytest.mark.parametrize("octets", [0, 10, 120, 400, 5_000])
def test_a_message_that_does_not_fit_is_refused_with_452_and_nothing_stays(post: Post, octets: int) -> None:
    with opened(post):
        draft = post.spool.begin(to())
        with full(octets), pytest.raises(Limited) as caught:
            write_and_commit(draft)
        draft.discard()
        assert caught.value.smtp == "452 4.3.1"
        assert post.names(*EVERYWHERE) == []
        assert post.queue.next_due() is None
        assert post.queue.attempt(post.accept()) == {BOB: OK}


def test_an_empty_message_that_does_not_fit_is_refused_at_its_end(post: Post) -> None:
    with opened(post):
        draft = post.spool.begin(to())
        with full(), pytest.raises(Limited):
            draft.commit()
        assert post.names(*EVERYWHERE) == []


def test_outcomes_are_kept_in_memory_until_there_is_room(post: Post, tmp_path: Path) -> None:
    post.courier.say = turns(each({BOB: OK, EVE: LATER}), each({BOB: OK, EVE: LATER}), every(OK))
    with opened(post):
        id = post.accept(to(BOB, EVE))
        with full():
            post.queue.attempt(id)
            assert post.names(*EVERYWHERE) == [f"queue/{id}"]
            post.now += 60
            assert post.work() == [id], "a full disk stops nobody"
            assert post.courier.recipients() == [BOB, EVE, EVE]
        assert post.work() == []
        assert post.names(*EVERYWHERE) == [f"queue/{id}", f"state/{id}"]
    again = Post(tmp_path / "spool")
    with opened(again):
        assert again.queue.next_due() == BEGAN + 180
        again.run(BEGAN + DAY)
    assert again.courier.recipients() == [EVE]


def test_one_that_went_leaves_although_the_disk_is_full(post: Post) -> None:
    post.courier.say = turns(each({BOB: OK, EVE: LATER}), every(OK))
    with opened(post):
        id = post.accept(to(BOB, EVE))
        with full():
            post.queue.attempt(id)
            post.run(BEGAN + DAY)
        assert post.names(*EVERYWHERE) == []


def test_a_report_that_fits_nowhere_waits_and_comes_once(post: Post) -> None:
    post.courier.say = every(NO)
    post.mailbox.say = every(LATER)
    with opened(post):
        id = post.accept()
        with full():
            post.queue.attempt(id)
            post.run(BEGAN + 1000)
            assert post.names(*EVERYWHERE) == [f"queue/{id}"]
        post.mailbox.say = every(OK)
        tried = len(post.mailbox.got)
        post.run(BEGAN + DAY)
        assert post.names(*EVERYWHERE) == []
    assert len(post.courier.got) == 1
    assert len(post.mailbox.got) == tried + 1 > 3
    assert len({octets for _, octets in post.mailbox.got}) == 1, "a mailbox that has it knows it again"


def test_a_report_that_the_mailbox_takes_needs_no_room(post: Post) -> None:
    post.courier.say = every(NO)
    with opened(post):
        id = post.accept()
        with full():
            post.queue.attempt(id)
        assert post.names(*EVERYWHERE) == []
    assert len(post.mailbox.got) == 1


@pytest.mark.parametrize("broken", ["fdatasync", "fsync", "rename"])
def test_a_message_that_a_broken_disk_did_not_make_durable_is_not_accepted(
    post: Post, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with opened(post):
        draft = post.spool.begin(to())
        draft.write(MESSAGE)
        monkeypatch.setattr(os, broken, fail)
        with pytest.raises(Unavailable):
            draft.commit()
        draft.discard()
        assert post.names(*EVERYWHERE) == []
        assert post.queue.next_due() is None
