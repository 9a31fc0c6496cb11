"""Which lock a configuration gets, and how long people wait for one."""

from __future__ import annotations

import threading

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from sesmail.config.table import Config, Mailboxes, PlaceFor, Storage
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.interfaces import StorePlace
from sesmail.service.locks import later, lock, patient, to_try_out
from sesmail.service.shared import alone
from sesmail.service.workers import Workers
from sesmail.storage.bucketlock import BucketLock
from sesmail.storage.lock import NoLock, ProcessLock
from sesmail.storage.store import Store
from tests.service.tls import reactor


def _no_store(place: StorePlace) -> Store:
    raise NotImplementedError


class LockTest(TestCase):
    def test_the_lock_is_the_configured_one(self) -> None:
        workers = Workers(reactor, "test", 1, 1)
        made = {
            name: type(lock(config, Clock(), workers, _no_store, alone(config, Clock())))
            for name in ("none", "process", "bucket")
            if (config := Config(mailboxes=Mailboxes(lock=name)))
        }
        self.assertEqual(made, {"none": NoLock, "process": ProcessLock, "bucket": BucketLock})

    def test_every_store_is_tried_out_once_beside_its_mailboxes(self) -> None:
        config = Config(
            storage=Storage(url="s3://main"),
            mailboxes=Mailboxes(
                places=(
                    PlaceFor(for_="example.com", template="other/%u/"),
                    PlaceFor(for_="example.net", url="s3://second", template="in/%u/"),
                    PlaceFor(for_="tom@example.org", url="s3://third", prefix="tom/"),
                    PlaceFor(for_="ann@example.net", prefix="ann/"),
                )
            ),
        )
        tried = {place.url: key for place, key in to_try_out(config).items()}
        self.assertEqual(
            tried,
            {
                "s3://main": "mailboxes/.sesmail/probe",
                "s3://second": "in/.sesmail/probe",
                "s3://third": "tom/.sesmail/probe",
            },
        )

    def test_where_there_is_no_store_none_is_tried_out(self) -> None:
        self.assertEqual(to_try_out(Config(storage=Storage(url="none"))), {})

    def test_later_runs_in_time_unless_it_is_called_off(self) -> None:
        clock, ran = Clock(), []

        async def work() -> None:
            ran.append(clock.seconds())

        later(clock)(5, work)
        call_off = later(clock)(6, work)
        call_off()
        call_off()
        clock.advance(5)
        clock.advance(5)
        call_off()
        self.assertEqual(ran, [5.0])


class PatienceTest(TestCase):
    def setUp(self) -> None:
        self.workers = Workers(reactor, "test", threads=1, queue=1)
        self.workers.startService()
        self.gate = threading.Event()
        self.addCleanup(self.workers.stopService)
        self.addCleanup(self.gate.set)
        self.clock = Clock()
        self.run_in_pool = patient(self.workers, self.clock, 10)

    async def hang(self) -> bool:
        return await self.run_in_pool(self.gate.wait, 30)

    async def test_nobody_waits_for_a_store_that_hangs(self) -> None:
        waiting: Deferred[bool] = Deferred.fromCoroutine(self.hang())
        self.clock.advance(9.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        await self.assertFailure(waiting, Unavailable)

    async def test_what_ends_in_time_gives_what_it_gave(self) -> None:
        def missing() -> None:
            raise NoSuchMessage

        self.assertEqual(await self.run_in_pool(int, "5"), 5)
        with self.assertRaises(NoSuchMessage):
            await self.run_in_pool(missing)
        self.assertEqual(self.clock.getDelayedCalls(), [])
