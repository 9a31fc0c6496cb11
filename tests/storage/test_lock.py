"""The exclusive right to a maildrop: for one at a time, never in the way of its owner."""

from __future__ import annotations

import unittest

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sesmail.errors import Busy
from sesmail.interfaces import Keys, Place, StorePlace
from sesmail.storage.lock import Hold, NoLock, ProcessLock
from tests.storage.driving import Person, run

TOM = Place(StorePlace("s3://mail"), "tom/")
ANN = Place(StorePlace("s3://mail"), "ann/")


class ProcessLockTest(unittest.TestCase):
    def setUp(self) -> None:
        self.lock = ProcessLock(30)

    def test_the_second_session_is_told_that_the_maildrop_is_busy(self) -> None:
        run(self.lock.take(TOM, Person()))
        with self.assertRaises(Busy):
            run(self.lock.take(TOM, Person()))
        run(self.lock.take(ANN, Person()))

    def test_a_released_maildrop_is_free(self) -> None:
        hold = run(self.lock.take(TOM, Person()))
        run(hold.release())
        run(hold.release())
        run(self.lock.take(TOM, Person()))

    def test_an_idle_holder_without_marks_gives_way(self) -> None:
        run(self.lock.take(TOM, Person(quiet=30)))
        run(self.lock.take(TOM, Person()))
        with self.assertRaises(Busy):
            run(self.lock.take(TOM, Person()))

    def test_a_holder_that_is_not_idle_for_long_enough_stays(self) -> None:
        run(self.lock.take(TOM, Person(quiet=29.9)))
        with self.assertRaises(Busy):
            run(self.lock.take(TOM, Person()))

    def test_an_idle_holder_with_marks_stays(self) -> None:
        run(self.lock.take(TOM, Person(quiet=9999, marks=True)))
        with self.assertRaises(Busy):
            run(self.lock.take(TOM, Person()))

    def test_a_holder_that_lost_its_right_does_not_free_the_newcomers(self) -> None:
        first = run(self.lock.take(TOM, Person(quiet=60)))
        run(self.lock.take(TOM, Person()))
        run(first.release())
        with self.assertRaises(Busy):
            run(self.lock.take(TOM, Person()))

    def test_the_lock_is_on_the_mailbox_not_on_the_login(self) -> None:
        run(self.lock.take(TOM, Person()))
        same = Place(StorePlace("s3://mail", region="eu-west-1", keys=Keys("AKIA", "x")), "tom/", nested=True)
        with self.assertRaises(Busy):
            run(self.lock.take(same, Person()))
        for other in (
            Place(StorePlace("s3://mail2"), "tom/"),
            Place(StorePlace("s3://mail", endpoint="http://127.0.0.1:1"), "tom/"),
            Place(StorePlace("s3://mail"), "tom"),
        ):
            run(self.lock.take(other, Person()))

    def test_nothing_is_kept_of_maildrops_that_were_released(self) -> None:
        for number in range(100):
            place = Place(StorePlace("s3://mail"), f"{number}/")
            first, second = run(self.lock.take(place, Person(quiet=99))), run(self.lock.take(place, Person()))
            run(second.release())
            run(first.release())
        self.assertEqual(self.lock.holders, {})

    def test_without_a_lock_everybody_is_let_in(self) -> None:
        lock = NoLock()
        holds = [run(lock.take(TOM, Person())) for _ in range(3)]
        for hold in holds:
            run(hold.release())


class LockMachine(RuleBasedStateMachine):
    """Any order of taking, resting, marking and releasing against the rule written down plainly."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = ProcessLock(30)
        self.sessions: list[tuple[Person, Hold]] = []
        self.exclusive: Person | None = None

    @rule()
    def take(self) -> None:
        person = Person()
        holder = self.exclusive
        free = holder is None or (holder.quiet >= 30 and not holder.marks)
        try:
            hold = run(self.lock.take(TOM, person))
        except Busy:
            assert not free
        else:
            assert free
            self.exclusive = person
            self.sessions.append((person, hold))

    @rule(which=st.integers(0, 9), quiet=st.sampled_from([0.0, 29.0, 30.0, 300.0]), marks=st.booleans())
    def rest(self, which: int, quiet: float, marks: bool) -> None:
        if which < len(self.sessions):
            self.sessions[which][0].quiet, self.sessions[which][0].marks = quiet, marks

    @rule(which=st.integers(0, 9))
    def release(self, which: int) -> None:
        if which < len(self.sessions):
            person, hold = self.sessions.pop(which)
            run(hold.release())
            if self.exclusive is person:
                self.exclusive = None

    @invariant()
    def only_the_exclusive_one_is_known(self) -> None:
        assert len(self.lock.holders) == (self.exclusive is not None)


LockRulesTest = LockMachine.TestCase
