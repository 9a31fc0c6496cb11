"""A lease in the store: one holder at a time, whoever races whom, and nobody locked out for longer than it lasts."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any
from unittest import TestCase

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from sesmail.errors import Busy, TooLarge, Unavailable
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.keys import lock_key, probe_key
from sesmail.storage.lease import Lease, conditional, take, try_out
from sesmail.storage.listing import Gathering
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Denied
from tests.servers.seaweed import running
from tests.storage.driving import pause, run
from tests.storage.watched import Watched

KEY = "tom/.sesmail/lock"
_numbers = itertools.count()


class LeaseRules:
    """Needs `self.store`, empty at first."""

    store: Watched
    assertEqual: Any
    assertRaises: Any
    assertTrue: Any
    assertFalse: Any
    assertIn: Any

    def take(self, gateway: str) -> Lease:
        return take(self.store, KEY, gateway, 60)

    def busy(self, gateway: str) -> None:
        self.assertRaises(Busy, self.take, gateway)

    def test_a_lease_is_for_one_gateway_at_a_time(self) -> None:
        self.take("one")
        self.busy("two")

    def test_what_was_given_back_may_be_taken_at_once(self) -> None:
        self.take("one").give_back()
        self.take("two")
        self.busy("one")

    def test_a_lease_that_nobody_renews_lapses_and_not_before(self) -> None:
        self.take("one")
        self.store.clock = 59
        self.busy("two")
        self.store.clock = 60
        self.take("two")
        self.busy("one")

    def test_a_renewed_lease_is_as_good_as_new(self) -> None:
        lease = self.take("one")
        for now in (20, 40, 60, 80):
            self.store.clock = now
            self.assertTrue(lease.renew())
            self.busy("two")
        self.store.clock = 139
        self.busy("two")
        self.store.clock = 140
        self.take("two")

    def test_a_lapsed_lease_that_nobody_took_can_be_renewed(self) -> None:
        lease = self.take("one")
        self.store.clock = 1000
        self.assertTrue(lease.renew())
        self.busy("two")

    def test_whoever_lost_a_lease_neither_renews_it_nor_gives_it_away(self) -> None:
        lost = self.take("one")
        self.store.clock = 60
        self.take("two")
        self.assertFalse(lost.renew())
        lost.give_back()
        self.busy("three")
        self.assertFalse(lost.renew())

    def test_a_lost_lease_does_not_come_back_when_the_other_gives_it_back(self) -> None:
        lost = self.take("one")
        self.store.clock = 60
        self.take("two").give_back()
        self.assertFalse(lost.renew())
        self.take("three")

    def test_a_gateway_may_always_take_its_own_lease_again(self) -> None:
        first = self.take("one")
        self.take("one")
        self.assertFalse(first.renew())
        first.give_back()
        self.busy("two")

    def test_of_two_that_take_a_lapsed_lease_one_gets_it(self) -> None:
        self.take("one")
        self.store.clock = 60
        self.store.before_put = lambda: self.take("two")
        self.busy("three")

    def test_a_renewal_wins_over_one_who_saw_the_lease_before_it(self) -> None:
        # With a text that stayed the same, so would the ETag on S3, and the lease would be taken from an active holder.
        lease = self.take("one")
        self.store.clock = 60
        self.store.before_put = lease.renew
        self.busy("two")
        self.assertTrue(lease.renew())

    def test_a_write_that_was_refused_by_its_own_success_has_succeeded(self) -> None:
        self.store.loses_answers = True
        lease = self.take("one")
        self.busy("two")
        self.assertTrue(lease.renew())
        lease.give_back()
        self.take("two")

    def test_a_renewal_under_way_does_not_keep_a_lease_from_being_given_back(self) -> None:
        lease = self.take("one")
        self.store.before_put = lease.renew
        lease.give_back()
        self.take("two")

    def test_a_renewal_after_the_lease_was_given_back_does_not_take_it_again(self) -> None:
        lease = self.take("one")
        self.store.before_put = lease.give_back
        self.assertFalse(lease.renew())
        self.take("two")

    def test_what_became_of_a_failed_renewal_is_found_out_by_the_next(self) -> None:
        lease = self.take("one")
        self.store.on_put = Unavailable()
        self.assertRaises(Unavailable, lease.renew)
        self.store.on_put = None
        self.assertTrue(lease.renew())
        ours = self.store.store.load_aged(KEY, limit=1024)
        self.store.store.put(KEY, ours.data[:-2] + b"x\n")
        self.assertTrue(lease.renew())
        self.busy("two")

    def test_a_lease_that_an_admin_removed_is_lost(self) -> None:
        lease = self.take("one")
        self.store.store.delete([KEY])
        self.assertFalse(lease.renew())
        self.take("two")

    def test_requests_are_few(self) -> None:
        first = self.take("one")
        self.assertEqual(self.store.spent(), ["GET", "PUT"])
        self.busy("two")
        self.assertEqual(self.store.spent(), ["GET"])
        first.renew()
        self.assertEqual(self.store.spent(), ["PUT"])
        first.give_back()
        self.assertEqual(self.store.spent(), ["PUT"])
        self.take("two")
        self.assertEqual(self.store.spent(), ["GET", "PUT"])

    def test_without_the_right_to_see_an_absent_object_the_lease_is_still_made(self) -> None:
        self.store.on_load = Denied()
        lease = self.take("one")
        self.assertTrue(lease.renew())
        self.assertRaises(Denied, self.take, "two")

    def test_an_object_that_is_no_lease_is_nobodys_until_it_is_old(self) -> None:
        self.store.put(KEY, b"")
        self.busy("one")
        self.store.clock = 60
        self.take("one")
        self.store.put(KEY, b"x" * 2000)
        self.assertRaises(TooLarge, self.take, "one")

    def test_a_store_that_keeps_to_conditions_is_known_by_it(self) -> None:
        lease = self.take("one")
        self.assertTrue(lease.holds())
        self.assertTrue(lease.renew())
        for _ in range(2):
            self.assertTrue(try_out(self.store, "tom/.sesmail/probe"))

    def test_a_store_that_ignores_conditions_is_known_by_it(self) -> None:
        lease = self.take("one")
        self.store.conditions = False
        self.assertFalse(lease.holds())
        self.assertFalse(try_out(self.store, "tom/.sesmail/probe"))
        self.assertFalse(conditional(self.store, "tom/.sesmail/probe", b"x"))

    def test_a_lease_is_no_mail(self) -> None:
        for prefix in ("tom/", "tom", ""):
            take(self.store, lock_key(prefix), "one", 60)
            try_out(self.store, probe_key(prefix))
            self.store.put(f"{prefix}mail", b"x")
            for nested in (True, False):
                gathering = Gathering((prefix,), nested=nested)
                gathering.add(list(self.store.list(prefix, delimiter="" if nested else "/")))
                listing = run(gathering.finish(pause))
                keys = [listing.key(index) for index in range(len(listing))]
                self.assertIn(f"{prefix}mail", keys)
                self.assertEqual([key for key in keys if ".sesmail" in key], [], (prefix, nested))


class LeaseInDirectoryTest(LeaseRules, TestCase):
    def setUp(self) -> None:
        root = tempfile.mkdtemp(prefix="sesmail-lease-")
        self.addCleanup(shutil.rmtree, root)
        self.store = Watched(DirectoryStore(Path(root)))


class LeaseInBucketTest(LeaseRules, TestCase):
    bucket: str
    client: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.bucket = running().make_bucket(f"leases-{next(_numbers)}")
        cls.client = running().client()

    def setUp(self) -> None:
        store = S3Store(self.client, self.bucket)
        store.delete([row.key.decode() for row in store.list("")])
        self.store = Watched(store)

    def test_of_many_gateways_one_takes_a_free_lease(self) -> None:
        self.take("nobody").give_back()
        taken: list[str] = []

        def contend(name: str) -> None:
            try:
                self.take(name)
            except Busy:
                return
            taken.append(name)

        threads = [threading.Thread(target=contend, args=(f"gateway{number}",)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(taken), 1)


class KeyTest(TestCase):
    def test_a_lease_lies_in_the_reserved_folder_of_its_mailbox(self) -> None:
        for prefix, key in (
            ("mailboxes/example.com/tom/", "mailboxes/example.com/tom/.sesmail/lock"),
            ("tom", "tom/.sesmail/lock"),
            ("mail-tom", "mail-tom/.sesmail/lock"),
            ("", ".sesmail/lock"),
        ):
            self.assertEqual(lock_key(prefix), key)

    def test_a_store_is_tried_out_beside_its_mailboxes(self) -> None:
        for template, key in (
            ("mailboxes/%d/%u/", "mailboxes/.sesmail/probe"),
            ("in/mail-%u", "in/.sesmail/probe"),
            ("%d/%u/", ".sesmail/probe"),
            ("old/tom/", "old/tom/.sesmail/probe"),
            ("", ".sesmail/probe"),
        ):
            self.assertEqual(probe_key(template), key)


class LeaseMachine(RuleBasedStateMachine):
    """Any order of taking, waiting, renewing and giving back by three gateways, against the rule written down plainly."""

    def __init__(self) -> None:
        super().__init__()
        self.root = tempfile.mkdtemp(prefix="sesmail-lease-")
        self.store = Watched(DirectoryStore(Path(self.root)))
        self.leases: list[tuple[str, Lease]] = []
        self.holder: Lease | None = None
        self.by = ""
        self.since = 0.0

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule(seconds=st.sampled_from([1.0, 19.0, 20.0, 59.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.store.clock += seconds

    @rule(gateway=st.sampled_from(["one", "two", "three"]))
    def take(self, gateway: str) -> None:
        free = self.holder is None or self.by == gateway or self.store.clock - self.since >= 60
        try:
            lease = take(self.store, KEY, gateway, 60)
        except Busy:
            assert not free
            return
        assert free
        self.leases.append((gateway, lease))
        self.holder, self.by, self.since = lease, gateway, self.store.clock

    @rule(which=st.integers(0, 5))
    def renew(self, which: int) -> None:
        if which < len(self.leases):
            lease = self.leases[which][1]
            assert lease.renew() == (lease is self.holder)
            if lease is self.holder:
                self.since = self.store.clock

    @rule(which=st.integers(0, 5))
    def give_back(self, which: int) -> None:
        if which < len(self.leases):
            _, lease = self.leases.pop(which)
            lease.give_back()
            if lease is self.holder:
                self.holder = None


LeaseRulesHoldTest = LeaseMachine.TestCase
LeaseRulesHoldTest.settings = settings(max_examples=50, stateful_step_count=30)
