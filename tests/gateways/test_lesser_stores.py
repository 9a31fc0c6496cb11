"""What a session asks of the bucket for its lease, and buckets that cannot keep one."""

from __future__ import annotations

import poplib
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.clients.stores import Bucket
from tests.gateways.s3proxy import S3Proxy, before
from tests.gateways.sessions import Mailbox, gateways, is_in_use, login
from tests.servers import seaweed
from tests.servers.ports import wait_until


@pytest.fixture
def proxy() -> Iterator[S3Proxy]:
    with before(seaweed.running()) as one:
        yield one


def asked_by(session: poplib.POP3, proxy: S3Proxy) -> Sequence[str]:
    """The verbs that a whole session costs from now on, the login included."""
    session.retr(1)
    session.dele(1)
    session.quit()
    return [verb for verb, _ in proxy.asked]


def tried_out(proxy: S3Proxy) -> bool:
    return len(proxy.of("/probe")) >= 3


def test_a_lease_costs_two_requests_at_login_one_at_quit_and_nothing_by_default(proxy: S3Proxy, bucket: Bucket) -> None:
    spent = {}
    for lock in ("process", "bucket"):
        with gateways(proxy.server, bucket, 1, lock=lock, lock_lease=60) as (one,):
            if lock == "bucket":
                wait_until(lambda: tried_out(proxy), seconds=20, what=one.log)
            # What is asked only once, such as for the folders in other cases, is not of the lock.
            mailbox = Mailbox(bucket)
            login(one, mailbox).quit()
            proxy.asked.clear()
            session = login(one, mailbox)
            at_login = Counter(verb for verb, _ in proxy.asked)
            spent[lock] = at_login, Counter(asked_by(session, proxy)) - at_login
        if lock == "process":
            assert proxy.of(".sesmail") == []
    assert spent["bucket"][0] - spent["process"][0] == Counter(GET=1, PUT=1)
    assert spent["bucket"][1] - spent["process"][1] == Counter(PUT=1)


def test_a_refused_login_costs_one_request_for_the_lease(proxy: S3Proxy, bucket: Bucket, mailbox: Mailbox) -> None:
    with gateways(proxy.server, bucket) as (one, two):
        wait_until(lambda: len(proxy.of("/probe")) >= 6, seconds=20, what=two.log)
        session = login(one, mailbox)
        proxy.asked.clear()
        assert is_in_use(one, mailbox)
        assert proxy.of("/lock") == []
        assert is_in_use(two, mailbox)
        assert [verb for verb in proxy.of("/lock") if verb == "GET"] == ["GET"]
        session.quit()


def test_a_store_that_ignores_conditions_is_told_of_at_the_start_and_mail_is_read_all_the_same(
    proxy: S3Proxy, bucket: Bucket, mailbox: Mailbox
) -> None:
    proxy.conditions = False
    with gateways(proxy.server, bucket) as (one, two):
        for at in (one, two):
            at.wait_for_log("ignores conditions of writes")
        first, second = login(one, mailbox), login(two, mailbox)
        assert is_in_use(one, mailbox)
        assert is_in_use(two, mailbox)
        first.dele(1)
        second.dele(2)
        assert first.quit().startswith(b"+OK")
        assert second.quit().startswith(b"+OK")
        assert mailbox.left() == [3]
        assert proxy.of("/lock") == []
        assert one.log().count("ignores conditions") == 1


def test_where_the_lock_is_forbidden_it_is_told_once_and_mail_is_read_all_the_same(
    proxy: S3Proxy, bucket: Bucket, mailbox: Mailbox
) -> None:
    proxy.forbidden = "/.sesmail/"
    with gateways(proxy.server, bucket) as (one, two):
        for at in (one, two):
            session = login(at, mailbox)
            assert is_in_use(at, mailbox)
            assert session.stat()[0] == 3
            session.quit()
            login(at, mailbox).quit()
            assert at.log().count("no lease to be had") == 1
            assert "AccessDenied, status 403" in at.log()
