"""Two gateways on one bucket: one session for each mailbox, whoever dies, and no mail lost by it."""

from __future__ import annotations

import poplib
import time
from collections.abc import Sequence

import pytest

from tests.clients.stores import Bucket
from tests.gateways.sessions import LEASE, Mailbox, gateways, is_in_use, login, login_soon
from tests.servers import seaweed
from tests.servers.gateway import Gateway

# A lease lapses by the whole seconds of the server's clock; the rest is for a busy machine.
LAPSED = LEASE + 12


def stays_in_use(at: Gateway, mailbox: Mailbox, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not is_in_use(at, mailbox):
            return False
    return True


def test_a_session_at_one_keeps_the_mailbox_in_use_at_the_other(pair: Sequence[Gateway], mailbox: Mailbox) -> None:
    one, two = pair
    session = login(one, mailbox)
    assert is_in_use(one, mailbox)
    assert is_in_use(two, mailbox)
    session.quit()
    assert not is_in_use(two, mailbox)
    assert not is_in_use(one, mailbox)


def test_it_stays_in_use_for_longer_than_a_lease(pair: Sequence[Gateway], mailbox: Mailbox) -> None:
    one, two = pair
    session = login(one, mailbox)
    assert stays_in_use(two, mailbox, 2 * LEASE)
    session.quit()
    assert not is_in_use(two, mailbox)


def test_a_connection_that_breaks_frees_the_mailbox(pair: Sequence[Gateway], mailbox: Mailbox) -> None:
    one, two = pair
    session = login(one, mailbox)
    session.dele(1)
    session.close()
    login_soon(two, mailbox, LEASE - 1).quit()
    assert mailbox.left() == [1, 2, 3]


def test_two_mailboxes_do_not_wait_for_each_other(pair: Sequence[Gateway], bucket: Bucket) -> None:
    one, two = pair
    mailboxes = [Mailbox(bucket) for _ in range(4)]
    sessions = [login(at, mailbox) for at, mailbox in zip([one, two, one, two], mailboxes, strict=True)]
    assert [session.stat()[0] for session in sessions] == [3] * 4
    for session in sessions:
        session.quit()


def test_a_gateway_that_is_stopped_frees_its_mailboxes_at_once(bucket: Bucket, mailbox: Mailbox) -> None:
    with gateways(seaweed.running(), bucket, lock_lease=60) as (one, two):
        session = login(one, mailbox)
        session.dele(1)
        assert is_in_use(two, mailbox)
        one.stop()
        assert not is_in_use(two, mailbox)
        assert mailbox.left() == [1, 2, 3]


def test_an_idle_session_gives_way_to_one_elsewhere_and_goes_on_without_its_right(
    impatient: Sequence[Gateway], mailbox: Mailbox
) -> None:
    one, two = impatient
    idle = login(one, mailbox)
    other = login_soon(two, mailbox, 1 + LAPSED)
    other.dele(1)
    other.quit()
    assert mailbox.left() == [2, 3]
    with pytest.raises(poplib.error_proto, match="no such message"):
        idle.retr(1)
    assert [idle.retr(number)[1][0] for number in (2, 3)] == [b"Subject: 2", b"Subject: 3"]
    idle.dele(1)
    idle.dele(2)
    assert idle.quit().startswith(b"+OK")
    assert mailbox.left() == [3]


def test_a_lapsed_session_does_not_free_the_mailbox_of_the_one_who_has_it_now(
    impatient: Sequence[Gateway], mailbox: Mailbox
) -> None:
    one, two = impatient
    idle = login(one, mailbox)
    other = login_soon(two, mailbox, 1 + LAPSED)
    other.dele(3)
    idle.noop()
    idle.quit()
    assert stays_in_use(one, mailbox, LEASE + 2)
    other.quit()
    assert mailbox.left() == [1, 2]


def test_an_idle_session_that_has_marked_something_keeps_its_right(impatient: Sequence[Gateway], mailbox: Mailbox) -> None:
    one, two = impatient
    session = login(one, mailbox)
    session.dele(2)
    assert stays_in_use(two, mailbox, 2 + LEASE)
    session.quit()
    assert not is_in_use(two, mailbox)
    assert mailbox.left() == [1, 3]


def test_by_default_gateways_know_nothing_of_each_other_and_no_mail_is_lost(bucket: Bucket, mailbox: Mailbox) -> None:
    with gateways(seaweed.running(), bucket, lock="process") as (one, two):
        first, second = login(one, mailbox), login(two, mailbox)
        first.dele(2)
        first.quit()
        with pytest.raises(poplib.error_proto, match="no such message"):
            second.retr(2)
        assert [second.retr(number)[1][0] for number in (1, 3)] == [b"Subject: 1", b"Subject: 3"]
        assert second.list()[1] == [b"1 23", b"2 23", b"3 23"]
        second.dele(2)
        second.dele(3)
        assert second.quit().startswith(b"+OK")
        assert mailbox.left() == [1]
