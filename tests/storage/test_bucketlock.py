"""The lock among gateways: renewed while somebody is there, never in the way of mail when the bucket cannot help."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from sesmail.errors import Busy, Unavailable
from sesmail.interfaces import Keys, Place, StorePlace
from sesmail.service.locks import later
from sesmail.storage.bucketlock import BucketLock
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.lock import Hold, ProcessLock
from sesmail.storage.store import Denied, Store
from tests.storage.driving import Person
from tests.storage.watched import Watched

P = ParamSpec("P")
T = TypeVar("T")

STORE = StorePlace("s3://mail")
TOM = Place(STORE, "tom/")
ANN = Place(STORE, "ann/")
LOG = "sesmail.storage.bucketlock"


async def at_once(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


class BucketLockTest(TestCase):
    def setUp(self) -> None:
        root = tempfile.mkdtemp(prefix="sesmail-lock-")
        self.addCleanup(shutil.rmtree, root)
        self.clock = Clock()
        self.store = Watched(DirectoryStore(Path(root)))
        self.here, self.there = self.gateway(), self.gateway()

    def gateway(self) -> BucketLock:
        def store_of(place: StorePlace) -> Store:
            return self.store

        return BucketLock(ProcessLock(30), store_of, at_once, later(self.clock), seconds=60, gateway=secrets.token_hex(16))

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.store.clock += 1
            self.clock.advance(1)

    async def known(self) -> None:
        """Have both gateways know that the store keeps to conditions."""
        for lock in (self.here, self.there):
            await lock.try_out(STORE, ".sesmail/probe")
        self.store.spent()

    async def busy(self, lock: BucketLock, place: Place = TOM) -> None:
        with self.assertRaises(Busy):
            await lock.take(place, Person())

    async def test_a_session_here_keeps_others_out_here_and_elsewhere(self) -> None:
        hold = await self.here.take(TOM, Person())
        await self.busy(self.here)
        await self.busy(self.there)
        await self.there.take(ANN, Person())
        await hold.release()
        await hold.release()
        await self.there.take(TOM, Person())

    async def test_a_login_costs_two_requests_a_logout_one_and_a_busy_one_here_none(self) -> None:
        await self.known()
        hold = await self.here.take(TOM, Person())
        self.assertEqual(self.store.spent(), ["GET", "PUT"])
        await self.busy(self.here)
        self.assertEqual(self.store.spent(), [])
        await self.busy(self.there)
        self.assertEqual(self.store.spent(), ["GET"])
        await hold.release()
        await hold.release()
        self.assertEqual(self.store.spent(), ["PUT"])

    async def test_the_store_is_tried_out_once(self) -> None:
        await (await self.here.take(TOM, Person())).release()
        self.assertEqual(self.store.spent(), ["GET", "PUT", "PUT", "PUT", "PUT"])
        with_keys = Place(StorePlace("s3://mail", keys=Keys("AKIA", "secret")), "ann/")
        await (await self.here.take(with_keys, Person())).release()
        self.assertEqual(self.store.spent(), ["GET", "PUT", "PUT"])

    async def test_one_who_was_told_that_it_is_busy_elsewhere_keeps_nobody_out_here(self) -> None:
        hold = await self.there.take(TOM, Person())
        await self.busy(self.here)
        await hold.release()
        await self.here.take(TOM, Person())

    async def test_a_lease_is_renewed_three_times_in_its_length_while_its_session_is_active(self) -> None:
        await self.known()
        await self.here.take(TOM, Person())
        self.store.spent()
        self.pass_time(600)
        self.assertEqual(self.store.spent(), ["PUT"] * 30)
        await self.busy(self.there)

    async def test_an_idle_session_lets_its_lease_lapse(self) -> None:
        person = Person()
        await self.here.take(TOM, person)
        self.pass_time(20)
        person.quiet = 30
        self.pass_time(59)
        await self.busy(self.there)
        self.pass_time(1)
        await self.there.take(TOM, Person())

    async def test_an_idle_session_with_marks_keeps_it(self) -> None:
        await self.here.take(TOM, Person(quiet=9999, marks=True))
        self.pass_time(600)
        await self.busy(self.there)

    async def test_a_session_that_wakes_up_keeps_what_nobody_took(self) -> None:
        person = Person(quiet=30)
        hold = await self.here.take(TOM, person)
        self.pass_time(300)
        person.quiet = 0
        self.pass_time(20)
        await self.busy(self.there)
        await hold.release()
        await self.there.take(TOM, Person())

    async def test_a_session_that_lost_its_lease_takes_nothing_from_the_newcomer(self) -> None:
        person = Person(quiet=30)
        lost = await self.here.take(TOM, person)
        self.pass_time(60)
        await self.there.take(TOM, Person())
        person.quiet = 0
        with self.assertLogs(LOG, "INFO") as logged:
            self.pass_time(40)
        self.assertEqual(len(logged.output), 1)
        self.assertIn("lost its exclusive right", logged.output[0])
        self.store.spent()
        await lost.release()
        self.assertEqual(self.store.spent(), [])
        await self.busy(self.gateway())

    async def test_an_idle_session_gives_way_here_at_once(self) -> None:
        person = Person(quiet=30)
        lost = await self.here.take(TOM, person)
        await self.here.take(TOM, Person())
        person.quiet = 0
        self.pass_time(100)
        await lost.release()
        await self.busy(self.here)
        await self.busy(self.there)

    async def test_nothing_goes_on_after_a_session(self) -> None:
        for place in (TOM, ANN):
            await (await self.here.take(place, Person())).release()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_a_session_that_ends_while_its_lease_is_renewed_still_gives_it_back(self) -> None:
        hold = await self.here.take(TOM, Person())
        self.store.before_put = lambda: Deferred.fromCoroutine(hold.release())
        self.pass_time(20)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        await self.there.take(TOM, Person())

    async def test_trouble_with_the_lease_keeps_nobody_from_his_mail(self) -> None:
        for error in (Unavailable(cause="503"), Denied(cause="403")):
            self.store.on_load = self.store.on_put = error
            with self.assertLogs(LOG, "WARNING") as logged:
                hold = await self.here.take(TOM, Person())
                await self.busy(self.here)
                await hold.release()
                for place in (TOM, ANN):
                    await (await self.here.take(place, Person())).release()
            self.assertEqual(len(logged.output), 1)
            self.assertIn(str(error.cause), logged.output[0])

    async def test_trouble_that_comes_again_is_told_again_and_what_is_forbidden_only_once(self) -> None:
        for error, told in ((Unavailable(cause="503"), 2), (Denied(cause="403"), 1)):
            with self.assertLogs(LOG, "WARNING") as logged:
                for _ in range(2):
                    self.store.on_load = self.store.on_put = error
                    await (await self.here.take(TOM, Person())).release()
                    self.store.on_load = self.store.on_put = None
                    hold = await self.here.take(TOM, Person())
                    await self.busy(self.there)
                    await hold.release()
            self.assertEqual(len(logged.output), told)

    async def test_trouble_with_a_renewal_is_survived(self) -> None:
        await self.here.take(TOM, Person())
        self.store.on_put = Unavailable(cause="503")
        with self.assertLogs(LOG, "INFO") as logged:
            self.pass_time(40)
        self.assertEqual(len(logged.output), 2)
        self.store.on_put = None
        self.pass_time(40)
        await self.busy(self.there)

    async def test_trouble_with_giving_back_is_survived(self) -> None:
        hold = await self.here.take(TOM, Person())
        self.store.on_put = Unavailable(cause="503")
        await hold.release()
        self.store.on_put = None
        await self.busy(self.there)
        await (await self.here.take(TOM, Person())).release()
        await self.there.take(TOM, Person())

    async def test_an_error_of_ours_is_logged_and_ends_neither_session_nor_renewals(self) -> None:
        hold = await self.here.take(TOM, Person())
        self.store.before_put = lambda: 1 // 0
        with self.assertLogs(LOG, "ERROR"):
            self.pass_time(20)
        self.pass_time(50)
        await self.busy(self.there)
        self.store.before_put = lambda: 1 // 0
        with self.assertLogs(LOG, "ERROR"):
            await hold.release()
        await self.here.take(TOM, Person())

    async def test_where_conditions_are_ignored_the_lock_of_the_process_is_all_there_is(self) -> None:
        self.store.conditions = False
        with self.assertLogs(LOG, "WARNING") as logged:
            hold = await self.here.take(TOM, Person())
            other = await self.there.take(TOM, Person())
        self.assertEqual(len(logged.output), 2)
        self.assertIn("s3://mail ignores conditions of writes", logged.output[0])
        self.store.spent()
        await self.busy(self.here)
        self.pass_time(100)
        await hold.release()
        await other.release()
        with self.assertNoLogs(LOG, "WARNING"):
            await self.here.take(TOM, Person())
        self.assertEqual(self.store.spent(), [])

    async def test_a_store_that_was_tried_out_in_advance_is_not_written_by_logins(self) -> None:
        self.store.conditions = False
        with self.assertLogs(LOG, "WARNING") as logged:
            await self.here.try_out(STORE, ".sesmail/probe")
        self.assertEqual(len(logged.output), 1)
        self.store.spent()
        await self.here.take(TOM, Person())
        self.assertEqual(self.store.spent(), [])

    async def test_a_store_that_could_not_be_tried_out_is_tried_by_the_first_login(self) -> None:
        self.store.on_put = Denied(cause="403")
        await self.here.try_out(STORE, ".sesmail/probe")
        self.store.on_put = None
        self.store.conditions = False
        with self.assertLogs(LOG, "WARNING"):
            await self.here.take(TOM, Person())

    async def test_one_who_gives_up_while_he_waits_for_the_lease_holds_nothing(self) -> None:
        waiting: Deferred[None] = Deferred()

        async def never(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
            await waiting
            return function(*args, **kwargs)

        self.here.run = never
        taking: Deferred[Hold] = Deferred.fromCoroutine(self.here.take(TOM, Person()))
        taking.cancel()
        await self.assertFailure(taking, CancelledError)
        self.here.run = at_once
        await self.here.take(TOM, Person())
