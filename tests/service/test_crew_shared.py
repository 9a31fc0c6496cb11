"""What workers share behaves as what one process has, and what a worker had is free when it ends."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from inspect import signature
from types import FunctionType
from typing import Any
from unittest import TestCase

import pytest
from twisted.internet.task import Clock

from sesmail.auth.throttle import Limits, Throttle
from sesmail.config.sending import Submission
from sesmail.config.table import Config
from sesmail.errors import Busy, Limited, Malformed, Unavailable
from sesmail.interfaces import Place, StorePlace
from sesmail.protocols.limits import Connections
from sesmail.relay.hourly import Hourly
from sesmail.relay.pace import Pace, Quota
from sesmail.relay.rate import Rate
from sesmail.service.crew.common import kept, over
from sesmail.service.crew.connections import DeskConnections, LineConnections
from sesmail.service.crew.desk import Desk
from sesmail.service.crew.locks import PATIENCE, DeskLocks, LineLock
from sesmail.service.crew.logins import DeskLogins, LineDelay, LineThrottle
from sesmail.service.crew.mail import DeskMail, LineSchedule, first_schedule
from sesmail.service.crew.sending import DeskHourly, DeskPace, LineHourly, LinePace
from sesmail.service.locks import later
from sesmail.service.shared import alone
from sesmail.storage.bucketlock import BucketLock
from sesmail.storage.lock import Hold
from tests.auth import test_auth_realm, test_auth_throttle
from tests.relay import test_rate
from tests.service.crewhouse import NearWorker, driven
from tests.storage import test_bucketlock, test_lock
from tests.storage.driving import Person

TOM = Place(StorePlace("s3://mail"), "tom/")


class Turns:
    """One object of each worker; every call goes to the next one's."""

    def __init__(self, *each: Any) -> None:
        self._turns = itertools.cycle(each)

    def __getattr__(self, name: str) -> Any:
        return getattr(next(self._turns), name)


class ThrottleOfWorkersTest(test_auth_throttle.ThrottleTest):
    def setUp(self) -> None:
        super().setUp()
        self.one: Any = self.throttle
        desk = Desk([DeskLogins(self.one, None)])
        self.workers = [NearWorker(desk, number) for number in range(3)]
        self.throttle = Turns(*map(LineThrottle, self.workers))  # type: ignore[assignment]

    def test_memory_is_bounded_however_many_names_and_addresses_are_tried(self) -> None:
        self.throttle = self.one
        super().test_memory_is_bounded_however_many_names_and_addresses_are_tried()

    def test_a_login_under_way_when_its_worker_is_killed_counts_nothing(self) -> None:
        self.refuse(3)
        self.time += 60
        LineThrottle(self.workers[0]).enter("tom", test_auth_throttle.CAFE)
        with self.assertRaises(Limited):
            LineThrottle(self.workers[1]).enter("tom", test_auth_throttle.CAFE)
        self.workers[0].end()
        LineThrottle(self.workers[1]).enter("tom", test_auth_throttle.CAFE).undecided()

    def test_a_login_is_temporarily_impossible_while_the_parent_does_not_answer_and_ends_without_an_error(self) -> None:
        attempt = LineThrottle(self.workers[0]).enter("tom", test_auth_throttle.CAFE)
        self.workers[0].deaf = True
        with self.assertLogs("sesmail.service.crew.logins", "ERROR"):
            attempt.accepted()
        with self.assertRaises(Unavailable):
            LineThrottle(self.workers[0]).enter("tom", test_auth_throttle.CAFE)

    def test_a_login_ends_once_and_in_its_own_worker_alone(self) -> None:
        attempt = LineThrottle(self.workers[0]).enter("tom", test_auth_throttle.CAFE)
        attempt.refused()
        with self.assertLogs("sesmail.service.crew.logins", "ERROR"):
            attempt.refused()
        self.assertEqual(self.one._counts["account"][("account", "tom")].refused, 1)


class LoginDelayOfWorkersTest(test_auth_realm.LoginDelayTest):
    def setUp(self) -> None:
        super().setUp()
        self.one: Any = self.delay
        desk = Desk([DeskLogins(Throttle(Limits(), lambda: self.time), self.one)])
        self.delay = Turns(*(LineDelay(NearWorker(desk, number)) for number in range(2)))  # type: ignore[assignment]

    def test_what_is_over_is_not_kept(self) -> None:
        self.delay = self.one
        super().test_what_is_over_is_not_kept()


class ConnectionsOfWorkersTest(TestCase):
    def setUp(self) -> None:
        self.one = Connections(total=5, per_address=2)
        self.desk = Desk([DeskConnections(self.one)])
        self.workers = [NearWorker(self.desk, number) for number in range(2)]
        self.connections = [LineConnections(worker) for worker in self.workers]

    def test_connections_of_all_workers_count_together(self) -> None:
        left, right = self.connections
        self.assertTrue(left.enter("192.0.2.1"))
        self.assertTrue(right.enter("192.0.2.1"))
        self.assertFalse(left.enter("192.0.2.1"))
        self.assertTrue(all(left.enter(f"192.0.2.{number}") for number in (2, 3, 4)))
        self.assertFalse(right.enter("192.0.2.5"))
        left.leave("192.0.2.1")
        self.assertTrue(right.enter("192.0.2.1"))

    def test_what_a_worker_counted_is_taken_back_when_it_is_killed(self) -> None:
        left, right = self.connections
        for peer in ("192.0.2.1", "192.0.2.1", "unix", "2001:db8::1"):
            self.assertTrue(left.enter(peer))
        self.assertTrue(right.enter("192.0.2.3"))
        self.workers[0].end()
        self.workers[0].end()
        self.assertEqual((self.one._open, dict(self.one._by_source)), (1, {"192.0.2.3": 1}))

    def test_a_worker_takes_back_nothing_of_others(self) -> None:
        left, right = self.connections
        left.enter("192.0.2.1")
        right.leave("192.0.2.1")
        self.assertEqual(self.one._open, 1)

    def test_while_the_parent_does_not_answer_nobody_is_let_in_and_nothing_fails(self) -> None:
        left = self.connections[0]
        left.enter("192.0.2.1")
        self.workers[0].deaf = True
        with self.assertLogs("sesmail.service.crew.connections", "ERROR"):
            self.assertFalse(left.enter("192.0.2.2"))
            left.leave("192.0.2.1")


class LockOfWorkers:
    """The locks of some workers, taken in turns, in the form of a ProcessLock."""

    def __init__(self, idle: float, workers: int = 2) -> None:
        self.desk_locks = DeskLocks()
        desk = Desk([self.desk_locks])
        self.idle = idle
        self.clock = Clock()
        self.workers = [NearWorker(desk, number) for number in range(workers)]
        self.locks = [LineLock(idle, worker, worker.orders, self.clock) for worker in self.workers]
        self._turns = itertools.cycle(self.locks)

    @property
    def holders(self) -> dict[Any, Any]:
        return self.desk_locks._holders

    def obey(self) -> None:
        for worker in self.workers:
            worker.orders.obey()

    def take_in(self, number: int, person: Person) -> Hold:
        return driven(self.locks[number].take(TOM, person), self.obey)

    async def take(self, place: Place, client: Person) -> Hold:
        return driven(next(self._turns).take(place, client), self.obey)


class LockOfWorkersTest(test_lock.ProcessLockTest):
    def setUp(self) -> None:
        self.lock: Any = LockOfWorkers(30)

    def test_nothing_is_kept_of_maildrops_that_were_released(self) -> None:
        super().test_nothing_is_kept_of_maildrops_that_were_released()
        self.assertEqual(self.lock.desk_locks._waiting, {})
        self.assertFalse(any(self.lock.desk_locks._sessions.values()))
        self.assertFalse(any(lock._clients or lock._waiting for lock in self.lock.locks))


class LockOfWorkersMachine(test_lock.LockMachine):
    """The rules of a lock, taken by two workers in turns."""

    def __init__(self) -> None:
        super().__init__()
        self.lock: Any = LockOfWorkers(30)


LockOfWorkersRulesTest = LockOfWorkersMachine.TestCase


class BucketLockOfWorkersTest(test_bucketlock.BucketLockTest):
    """The lock among gateways, where this one has two workers."""

    def gateway(self) -> BucketLock:
        return self.over(LockOfWorkers(30), secrets.token_hex(16))

    def over(self, host: Any, gateway: str) -> BucketLock:
        run, wait = test_bucketlock.at_once, later(self.clock)
        return BucketLock(host, lambda place: self.store, run, wait, seconds=60, gateway=gateway)

    async def test_a_newcomer_in_another_worker_takes_the_lease_of_an_idle_session_at_once(self) -> None:
        workers = LockOfWorkers(30)
        left, right = (self.over(Driven(lock, workers), "one gateway") for lock in workers.locks)
        idle = Person()
        lost = await left.take(TOM, idle)
        await self.busy(right)
        idle.quiet = 60
        held = await right.take(TOM, Person())
        with self.assertLogs("sesmail.storage.bucketlock", "INFO") as logged:
            idle.quiet = 0
            self.pass_time(60)
        self.assertEqual(len(logged.records), 1, "the idle one finds out and renews no more")
        await lost.release()
        await self.busy(self.there)
        await held.release()
        await self.there.take(TOM, Person())


class Driven:
    """One worker's lock; the desk works while it is waited for."""

    def __init__(self, lock: LineLock, workers: LockOfWorkers) -> None:
        self.idle = lock.idle
        self._lock = lock
        self._workers = workers

    async def take(self, place: Place, client: Person) -> Hold:
        return driven(self._lock.take(place, client), self._workers.obey)


class LockLostTest(TestCase):
    def setUp(self) -> None:
        self.lock = LockOfWorkers(30)
        self.left, self.right = self.lock.workers

    def test_a_maildrop_is_free_when_its_worker_is_killed(self) -> None:
        self.lock.take_in(0, Person())
        with self.assertRaises(Busy):
            self.lock.take_in(1, Person())
        self.left.end()
        self.lock.take_in(1, Person())

    def test_who_waits_for_the_answer_of_a_worker_that_is_killed_gets_the_maildrop(self) -> None:
        self.lock.take_in(0, Person())
        taking = self.lock.locks[1].take(TOM, Person())
        taking.send(None)
        self.left.end()
        driven(taking, self.right.orders.obey)
        self.assertEqual(len(self.lock.holders), 1)

    def test_who_waits_while_the_holder_leaves_gets_the_maildrop(self) -> None:
        held = self.lock.take_in(0, Person())
        taking = self.lock.locks[1].take(TOM, Person())
        taking.send(None)
        driven(held.release(), self.lock.obey)
        driven(taking, self.lock.obey)

    def test_of_two_who_wait_for_an_idle_holder_one_gets_the_maildrop(self) -> None:
        self.lock.take_in(0, Person(quiet=60))
        first, second = self.lock.locks[1].take(TOM, Person()), self.lock.locks[0].take(TOM, Person())
        first.send(None)
        second.send(None)
        self.lock.obey()
        driven(first, self.lock.obey)
        with self.assertRaises(Busy):
            driven(second, self.lock.obey)

    def test_a_worker_that_does_not_say_who_is_idle_keeps_the_newcomer_waiting_for_seconds_only(self) -> None:
        self.lock.take_in(0, Person(quiet=60))
        with self.assertLogs("sesmail.service.crew.locks", "WARNING"), self.assertRaises(Busy):
            driven(self.lock.locks[1].take(TOM, Person()), lambda: self.lock.clock.advance(PATIENCE / 10))
        self.lock.obey()
        self.assertEqual(len(self.lock.holders), 1, "an answer that comes too late takes nobody's right")
        self.assertEqual(self.lock.desk_locks._waiting, {})

    def test_who_gives_up_waiting_gets_nothing(self) -> None:
        self.lock.take_in(0, Person(quiet=60))
        taking = self.lock.locks[1].take(TOM, Person())
        taking.send(None)
        taking.close()
        self.lock.obey()
        self.assertFalse(any(holder.seat is self.right.seat for holder in self.lock.holders.values()))

    def test_all_that_waits_in_a_worker_that_is_killed_is_forgotten(self) -> None:
        self.lock.take_in(0, Person(quiet=60))
        for number in (0, 1, 1):
            self.lock.locks[number].take(TOM, Person()).send(None)
        self.left.end()
        self.right.end()
        self.lock.obey()
        locks = self.lock.desk_locks
        self.assertEqual((locks._holders, locks._waiting, locks._sessions), ({}, {}, {}))

    def test_a_login_is_temporarily_impossible_while_the_parent_does_not_answer(self) -> None:
        held = self.lock.take_in(0, Person())
        self.left.deaf = True
        with self.assertLogs("sesmail.service.crew.locks", "ERROR"):
            with self.assertRaises(Unavailable):
                self.lock.take_in(0, Person())
            driven(held.release(), self.lock.obey)

    def test_a_worker_frees_and_answers_for_nobody_elses_maildrop(self) -> None:
        self.lock.take_in(0, Person())
        taking = self.lock.locks[1].take(TOM, Person())
        taking.send(None)
        self.right.call("lock.release", 1)
        self.assertIs(self.right.call("lock.idle", 1, True), False)
        [holder] = self.lock.holders.values()
        self.assertIs(holder.seat, self.left.seat)
        taking.close()


class PaceOfWorkersTest(TestCase):
    def setUp(self) -> None:
        self.time = 1000.0
        desk = Desk([DeskPace(Pace(now=lambda: self.time)), DeskHourly(Hourly(10, lambda: self.time))])
        self.workers = [NearWorker(desk, number) for number in range(2)]
        self.asked = 0
        self.rates = [Rate(self.ask, LinePace(worker)) for worker in self.workers]

    def ask(self) -> Quota:
        self.asked += 1
        return Quota(10, None, 0, True)

    def test_all_workers_together_are_as_fast_as_one_may_be_and_one_asks_for_the_quota(self) -> None:
        rate: Any = Turns(*self.rates)
        self.assertEqual([rate.take(1) for _ in range(10)], [0.0] * 10)
        self.assertAlmostEqual(rate.take(1), 0.1)
        self.assertAlmostEqual(rate.take(1), 0.2)
        self.assertEqual(self.asked, 1)

    def test_a_throttle_that_one_worker_hears_slows_all(self) -> None:
        self.rates[0].take(1)
        self.rates[0].throttled(30)
        self.assertEqual(self.rates[1].take(1), 30)

    def test_a_place_that_one_worker_reserved_is_kept_for_the_worker_that_tries_again(self) -> None:
        left, right = self.rates
        left.take(500, "bulk")
        wait = left.take(1, ("tom", "message"))
        self.assertAlmostEqual(wait, 49.1)
        self.time += wait
        self.assertEqual(right.take(1, ("tom", "message")), 0.0)

    def test_while_the_parent_does_not_answer_nothing_is_sent_and_nothing_fails(self) -> None:
        self.workers[0].deaf = True
        self.assertEqual(self.rates[0].take(1), 60)
        self.rates[0].throttled()

    def test_no_quota_is_lost_on_the_way(self) -> None:
        for quota in (Quota(0.5, 200, 150, True), Quota(14, None, 0, True), Quota(1, 200, 200, False)):
            pace = Pace(now=lambda: self.time)
            LinePace(NearWorker(Desk([DeskPace(pace)]), 1)).learn(quota)
            self.assertEqual(pace._quota, quota)

    def test_an_account_has_one_share_an_hour_in_all_workers(self) -> None:
        left, right = map(LineHourly, self.workers)
        left.spend("tom", 6)
        right.check("tom", 4)
        right.spend("tom", 4)
        for hourly in (left, right):
            with self.assertRaises(Limited) as limited:
                hourly.check("tom", 1)
            self.assertEqual(limited.exception.smtp, "452 4.7.1")
        left.spend("ann", 10)


class WorldOfWorkers(test_rate.World):
    def rate(self, override: float | None = None) -> Rate:
        desk = Desk([DeskPace(Pace(now=lambda: self.now, override=override))])
        pace: Any = Turns(*(LinePace(NearWorker(desk, number)) for number in range(2)))
        return Rate(self.ask, pace)


RATES = [
    test
    for name, test in vars(test_rate).items()
    if name.startswith("test_") and isinstance(test, FunctionType) and list(signature(test).parameters) == ["world"]
]


@pytest.mark.parametrize("promise", RATES, ids=lambda test: test.__name__)
def test_the_rate_of_workers_keeps_the_promises_of_one(promise: Callable[[test_rate.World], None]) -> None:
    promise(WorldOfWorkers())


class ScheduleOfWorkersTest(TestCase):
    def setUp(self) -> None:
        self.desk = Desk([DeskMail(lambda: 5000.0)])
        self.first, self.second = NearWorker(self.desk, 0), NearWorker(self.desk, 1)
        self.schedule, rescheduled = first_schedule(self.first, self.first.orders)
        self.changes: list[float | None] = []
        rescheduled(lambda: self.changes.append(self.schedule.next()))
        self.told = LineSchedule(self.second)

    def test_the_first_worker_knows_when_messages_of_others_are_due(self) -> None:
        self.told.put("message1", 1000.0)
        self.told.put("message2", 900.0)
        self.told.drop("message2")
        self.first.orders.obey()
        self.assertEqual(self.schedule.next(), 1000.0)
        self.assertEqual(self.changes, [1000.0, 900.0])
        self.assertEqual(self.schedule.take(2000.0, 9, 60.0, lambda id: False), ["message1"])

    def test_what_a_worker_had_promised_to_try_is_due_when_it_is_killed(self) -> None:
        for id in ("tried001", "gone0001", "promised"):
            self.told.promise(id, 6000.0)
        self.told.put("tried001", 7000.0)
        self.told.drop("gone0001")
        self.second.end()
        self.first.orders.obey()
        self.assertEqual(self.schedule.take(5001.0, 9, 60.0, lambda id: False), ["promised"])
        self.assertEqual(self.schedule.due("tried001"), 7000.0)
        self.assertIsNone(self.schedule.due("gone0001"))

    def test_without_a_first_worker_nothing_fails(self) -> None:
        self.first.end()
        self.told.promise("promised", 1.0)
        self.second.end()

    def test_only_the_first_worker_is_the_first_and_only_ids_of_messages_are_told(self) -> None:
        for call in (("mail.first",), ("mail.put", "../passwd", 1.0), ("mail.drop", ""), ("mail.promise", "x" * 50, 1.0)):
            with self.assertRaises(Malformed, msg=call):
                self.second.call(*map(str, call[:2]), *call[2:])
        self.assertFalse(self.first.orders.waiting)

    def test_while_the_parent_does_not_answer_nothing_fails(self) -> None:
        self.second.deaf = True
        with self.assertLogs("sesmail.service.crew.mail", "ERROR"):
            self.told.promise("message1", 1.0)


class SharedTest(TestCase):
    def worker(self, config: Config, number: int) -> tuple[Any, Any]:
        shared = alone(config, Clock())
        near = NearWorker(Desk(kept(shared)), number)
        return shared, over(number, Clock(), near, near.orders)

    def test_a_worker_has_all_that_one_process_has(self) -> None:
        config = Config(submission=Submission(account_rate=5))
        for number in (0, 1):
            one, worker = self.worker(config, number)
            self.assertEqual(worker.gateway, one.gateway)
            self.assertEqual(worker.lock.idle, one.lock.idle)
            self.assertEqual((worker.first, worker.spool_held), (number == 0, True))
            self.assertTrue(worker.connections.enter("192.0.2.1"))
            worker.throttle.enter("tom", "192.0.2.1").refused()
            worker.hourly.spend("tom", 5)
            with self.assertRaises(Limited):
                one.hourly.check("tom", 1)

    def test_what_the_configuration_has_not_a_worker_has_not(self) -> None:
        _, worker = self.worker(Config(), 1)
        self.assertIsNone(worker.hourly)
        self.assertIsNone(worker.login_delay)

    def test_names_without_an_end_are_refused(self) -> None:
        shared = alone(Config(submission=Submission(account_rate=5)), Clock())
        near = NearWorker(Desk(kept(shared)), 1)
        long = "x" * 5000
        for call in (
            ("connections.enter", long),
            ("throttle.enter", long, ""),
            ("throttle.enter", "", long),
            ("delay.record", long),
            ("hourly.spend", long, 1),
            ("hourly.spend", "tom", -1),
            ("pace.take", 1, long, 1.0),
            ("pace.take", -1, "", 1.0),
            ("lock.take", 1, "", "", long),
        ):
            with self.assertRaises(Malformed, msg=call):
                near.call(*map(str, call[:1]), *call[1:])
