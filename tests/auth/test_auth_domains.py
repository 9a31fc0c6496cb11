"""The cache of passwd.txt files: conditional, bounded, one load at a time, and never a guess after a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from sesmail.auth.domains import Domains
from sesmail.auth.records import Records
from sesmail.errors import NoSuchMessage, TooLarge, Unavailable

HASH = b"0" * 128


@dataclass
class File:
    data: bytes
    etag: str


class Shelf:
    """Files by domain, the calls for them, and a clock."""

    def __init__(self) -> None:
        self.files: dict[str, File | Exception] = {}
        self.calls: list[tuple[str, str | None]] = []
        self.gate: Deferred[None] | None = None
        self.time = 0.0
        self.domains = Domains(self.load, 30.0, lambda: self.time, limit=3)

    async def load(self, domain: str, known: str | None) -> File | None:
        self.calls.append((domain, known))
        if self.gate is not None:
            await self.gate
        file = self.files.get(domain, NoSuchMessage())
        if isinstance(file, Exception):
            raise file
        return None if file.etag == known else file

    def ask(self, domain: str) -> Deferred[Records]:
        return Deferred.fromCoroutine(self.domains.records(domain))


class DomainsTest(TestCase):
    def setUp(self) -> None:
        self.shelf = Shelf()
        self.shelf.files["a.example"] = File(b"tom:" + HASH, "one")

    def users(self, domain: str) -> list[str]:
        return list(self.successResultOf(self.shelf.ask(domain)).users)

    def test_a_file_is_asked_for_once_while_it_is_fresh(self) -> None:
        self.assertEqual(self.users("a.example"), ["tom"])
        self.shelf.time = 29.0
        self.assertEqual(self.users("a.example"), ["tom"])
        self.assertEqual(self.shelf.calls, [("a.example", None)])

    def test_later_it_is_asked_for_by_etag_and_kept_when_unchanged(self) -> None:
        self.users("a.example")
        self.shelf.time = 31.0
        self.assertEqual(self.users("a.example"), ["tom"])
        self.shelf.time = 60.0
        self.users("a.example")
        self.assertEqual(self.shelf.calls, [("a.example", None), ("a.example", "one")])

    def test_a_changed_file_takes_effect_after_the_lifetime(self) -> None:
        self.users("a.example")
        self.shelf.files["a.example"] = File(b"ann:" + HASH, "two")
        self.shelf.time = 31.0
        self.assertEqual(self.users("a.example"), ["ann"])

    def test_a_file_that_we_changed_is_looked_at_at_once(self) -> None:
        self.users("a.example")
        self.shelf.files["a.example"] = File(b"ann:" + HASH, "two")
        self.shelf.domains.expire("a.example")
        self.shelf.domains.expire("b.example")
        self.assertEqual(self.users("a.example"), ["ann"])

    def test_a_file_is_parsed_where_work_is_done(self) -> None:
        parsed: list[bytes] = []

        async def run(function: Any, data: bytes) -> Any:
            parsed.append(data)
            return function(data)

        self.shelf.domains = Domains(self.shelf.load, 30.0, lambda: self.shelf.time, run=run)  # type: ignore[arg-type]
        self.assertEqual(self.users("a.example"), ["tom"])
        self.assertEqual(parsed, [b"tom:" + HASH])

    def test_a_domain_without_a_file_is_remembered_too(self) -> None:
        self.assertEqual(self.users("b.example") + self.users("b.example"), [])
        self.assertEqual(self.shelf.calls, [("b.example", None)])

    def test_a_file_that_was_removed_lets_nobody_in_after_the_lifetime(self) -> None:
        self.users("a.example")
        del self.shelf.files["a.example"]
        self.shelf.time = 31.0
        self.assertEqual(self.users("a.example"), [])

    def test_a_failure_is_unavailable_and_not_remembered(self) -> None:
        self.shelf.files["a.example"] = Unavailable()
        self.failureResultOf(self.shelf.ask("a.example"), Unavailable)
        self.shelf.files["a.example"] = File(b"tom:" + HASH, "one")
        self.assertEqual(self.users("a.example"), ["tom"])

    def test_a_failure_is_unavailable_even_when_an_old_file_is_known(self) -> None:
        self.users("a.example")
        self.shelf.files["a.example"] = Unavailable()
        self.shelf.time = 31.0
        self.failureResultOf(self.shelf.ask("a.example"), Unavailable)

    def test_a_file_that_is_too_large_is_our_trouble_and_nobodys_wrong_password(self) -> None:
        self.shelf.files["a.example"] = TooLarge()
        self.failureResultOf(self.shelf.ask("a.example"), Unavailable)

    def test_many_logins_at_once_load_once(self) -> None:
        self.shelf.gate = Deferred()
        asked = [self.shelf.ask("a.example") for _ in range(5)]
        self.shelf.gate.callback(None)
        self.assertEqual([list(self.successResultOf(one).users) for one in asked], [["tom"]] * 5)
        self.assertEqual(len(self.shelf.calls), 1)

    def test_all_who_wait_hear_of_a_failure(self) -> None:
        self.shelf.gate = Deferred()
        asked = [self.shelf.ask("a.example") for _ in range(3)]
        self.shelf.gate.errback(Unavailable())
        for one in asked:
            self.failureResultOf(one, Unavailable)

    def test_a_login_that_gives_up_takes_the_load_from_nobody(self) -> None:
        self.shelf.gate = Deferred()
        first, second = self.shelf.ask("a.example"), self.shelf.ask("a.example")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        third = self.shelf.ask("a.example")
        self.shelf.gate.callback(None)
        self.assertEqual(list(self.successResultOf(second).users), ["tom"])
        self.assertEqual(list(self.successResultOf(third).users), ["tom"])
        self.assertEqual(len(self.shelf.calls), 1)

    def test_the_domain_asked_for_least_recently_is_forgotten_first(self) -> None:
        for domain in ("a.example", "b.example", "c.example", "a.example", "d.example", "a.example"):
            self.users(domain)
        self.assertEqual([domain[0] for domain, _ in self.shelf.calls], ["a", "b", "c", "d"])
        self.users("b.example")
        self.assertEqual(len(self.shelf.calls), 5)

    def test_malformed_lines_are_logged_once_by_number_without_their_content(self) -> None:
        self.shelf.files["a.example"] = File(b"secret-junk\ntom:" + HASH, "one")
        with self.assertLogs("sesmail.auth.domains", "WARNING") as logs:
            self.users("a.example")
            self.users("a.example")
        self.assertEqual(len(logs.output), 1)
        self.assertIn("password file a.example: malformed lines ignored: 1", logs.output[0])
        self.assertNotIn("junk", logs.output[0])
