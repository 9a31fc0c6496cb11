"""The maildrop with the built-in message."""

from __future__ import annotations

import hashlib
import unittest
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from typing import Any

from sesmail.interfaces import DEMO
from sesmail.storage.lock import ProcessLock
from sesmail.storage.maildrop import Figures, Maildrops
from sesmail.storage.read.bodies import collect
from tests.storage.driving import Person, pause, run

BEGAN = 1_700_000_000.0


def never(*args: Any, **named: Any) -> Any:
    raise AssertionError(args)


def opened(person: Person) -> Any:
    drops = Maildrops(never, never, ProcessLock(30), window=never, pause=pause, now=lambda: BEGAN)
    return run(drops.open(DEMO, person))


class SampleTest(unittest.TestCase):
    def test_it_has_one_message_of_known_headers_from_the_start_of_the_process(self) -> None:
        drop = opened(Person())
        data = run(collect(run(drop.open(0))))
        message = message_from_bytes(data)
        self.assertEqual(len(drop), 1)
        self.assertEqual(parsedate_to_datetime(message["Date"]).timestamp(), BEGAN)
        self.assertEqual((message["To"], message["Subject"]), ("recipient@example.com", "aws-ses-pop3-server"))
        self.assertEqual(drop.octets(0), len(data))
        self.assertEqual(data.count(b"\n"), data.count(b"\r\n"))

    def test_its_id_is_the_hash_of_it(self) -> None:
        drop = opened(Person())
        data = run(collect(run(drop.open(0))))
        self.assertEqual(drop.uidl(0).decode(), hashlib.sha1(data).hexdigest())

    def test_removing_it_succeeds_and_does_nothing(self) -> None:
        drop = opened(Person())
        self.assertEqual(run(drop.remove([0])), ())
        run(drop.close())
        self.assertEqual(len(opened(Person())), 1)

    def test_its_figures_are_known(self) -> None:
        drops = Maildrops(never, never, ProcessLock(30), window=never, pause=pause, now=lambda: BEGAN)
        drop = run(drops.open(DEMO, Person()))
        self.assertEqual(run(drops.figures(DEMO)), Figures(1, drop.octets(0)))

    def test_nobody_locks_it_for_others(self) -> None:
        drops = Maildrops(never, never, ProcessLock(30), window=never, pause=pause, now=lambda: BEGAN)
        for _ in range(3):
            self.assertEqual(len(run(drops.open(DEMO, Person()))), 1)
