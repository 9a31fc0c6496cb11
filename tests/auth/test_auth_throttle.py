"""Whoever guesses waits, longer each time; nobody else does, and nothing grows without bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementer

from sesmail.auth.names import Names
from sesmail.auth.throttle import Limits, Throttle, ThrottledPortal
from sesmail.credentials import BearerToken, IBearerToken
from sesmail.errors import BadLogin, Busy, Limited, Unavailable

HOME, CAFE = "192.0.2.1", "198.51.100.7"
LIMITS = Limits(account=3, address=6, wait=2.0, longest=60.0)


class ThrottleTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = 1000.0
        self.throttle = Throttle(LIMITS, lambda: self.time, kept=100)

    def refuse(self, times: int, account: str = "tom", peer: str = CAFE) -> None:
        for _ in range(times):
            self.throttle.enter(account, peer).refused()

    def wait(self, account: str = "tom", peer: str = CAFE) -> float:
        """Seconds until this login is let in."""
        began, step = self.time, 0.5
        while True:
            try:
                self.throttle.enter(account, peer).undecided()
            except Limited:
                self.time += step
                continue
            waited, self.time = self.time - began, began
            return waited

    def test_some_mistakes_are_free(self) -> None:
        self.refuse(2)
        self.assertEqual(self.wait(), 0)

    def test_each_further_one_doubles_the_wait_up_to_the_longest(self) -> None:
        self.refuse(3)
        waits = []
        for _ in range(7):
            waits.append(self.wait())
            self.time += waits[-1]
            self.refuse(1)
        self.assertEqual(waits, [2, 4, 8, 16, 32, 60, 60])

    def test_an_account_waits_wherever_the_guesses_came_from(self) -> None:
        for number in range(3):
            self.refuse(1, peer=f"203.0.113.{number}")
        self.assertEqual(self.wait(peer="203.0.113.99"), 2)

    def test_an_address_waits_whichever_accounts_it_tried(self) -> None:
        for number in range(6):
            self.refuse(1, account=f"user{number}")
        self.assertEqual(self.wait(account="other"), 2)
        self.assertEqual(self.wait(account="other", peer=HOME), 0)

    def test_an_ipv6_address_counts_with_its_network(self) -> None:
        for number in range(6):
            self.refuse(1, account=f"user{number}", peer=f"2001:db8:1:2::{number}")
        self.assertEqual(self.wait(account="other", peer="2001:db8:1:2:ffff::1"), 2)
        self.assertEqual(self.wait(account="other", peer="2001:db8:1:3::1"), 0)

    def test_peers_without_an_address_count_by_account_alone(self) -> None:
        for number in range(20):
            self.refuse(1, account=f"user{number}", peer="unix")
        self.assertEqual(self.wait(account="other", peer="unix"), 0)
        self.refuse(3, peer="unix")
        self.assertEqual(self.wait(peer="unix"), 2)

    def test_a_good_login_clears_what_its_owner_did(self) -> None:
        self.refuse(2)
        self.throttle.enter("tom", CAFE).accepted()
        self.refuse(2)
        self.throttle.enter("tom", CAFE).accepted()
        self.refuse(2)
        self.assertEqual(self.wait(), 0)
        self.assertEqual(self.wait(account="other"), 0)

    def test_an_own_account_does_not_buy_guesses_at_others(self) -> None:
        for number in range(6):
            self.throttle.enter("own", CAFE).accepted()
            self.refuse(1, account=f"user{number}")
        self.assertEqual(self.wait(account="user7"), 2)

    def test_who_logged_in_from_here_before_does_not_wait_for_strangers_elsewhere(self) -> None:
        self.throttle.enter("tom", HOME).accepted()
        self.refuse(3)
        self.assertEqual((self.wait(), self.wait(peer=HOME)), (2, 0))

    def test_who_logged_in_from_here_before_has_no_endless_guesses_here(self) -> None:
        self.throttle.enter("tom", HOME).accepted()
        self.refuse(3, peer=HOME)
        self.assertEqual(self.wait(peer=HOME), 2)

    def test_a_login_of_which_nobody_knows_counts_nothing(self) -> None:
        self.refuse(2)
        for _ in range(50):
            self.throttle.enter("tom", CAFE).undecided()
        self.assertEqual(self.wait(), 0)

    def test_past_the_free_ones_only_one_at_a_time_is_let_in(self) -> None:
        self.refuse(3)
        self.time += 2
        first = self.throttle.enter("tom", CAFE)
        with self.assertRaises(Limited):
            self.throttle.enter("tom", HOME)
        first.accepted()
        self.throttle.enter("tom", HOME).accepted()

    def test_one_that_comes_to_nothing_frees_its_place_but_no_other_s(self) -> None:
        early = self.throttle.enter("tom", CAFE)
        self.refuse(3)
        early.undecided()
        self.assertEqual(self.wait(), 2)

    def test_old_mistakes_are_forgotten(self) -> None:
        self.refuse(3)
        self.time += 13 * 60
        self.refuse(2)
        self.assertEqual(self.wait(), 0)

    def test_without_a_wait_there_is_no_throttle(self) -> None:
        self.throttle = Throttle(Limits(account=1, address=1, wait=0.0), lambda: self.time)
        self.refuse(50)
        self.assertEqual(self.wait(), 0)

    def test_memory_is_bounded_however_many_names_and_addresses_are_tried(self) -> None:
        for number in range(1000):
            peer = f"10.0.{number // 250}.{number % 250}"
            self.refuse(1, account=f"user{number}", peer=peer)
            self.throttle.enter(f"good{number}", peer).accepted()
        sizes = [len(counts) for counts in self.throttle._counts.values()]
        self.assertTrue(all(size <= 100 for size in [*sizes, len(self.throttle._known)]), sizes)

    def test_the_last_thousandth_guess_still_waits_no_longer_than_the_longest(self) -> None:
        for _ in range(200):
            self.time += 60
            self.refuse(1)
        self.assertEqual(self.wait(), 60)


class IMail(Interface):
    pass


@implementer(ICredentialsChecker)
class Answers:
    credentialInterfaces = (IUsernamePassword, IBearerToken)

    def __init__(self) -> None:
        self.answer: object = "account"
        self.asked = 0

    def requestAvatarId(self, credentials: object) -> Deferred[Any]:
        self.asked += 1
        return fail(self.answer) if isinstance(self.answer, Exception) else succeed(self.answer)


@implementer(IRealm)
class Realm:
    answer: Exception | None = None

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: Any) -> Any:
        if self.answer:
            raise self.answer
        return interfaces[0], avatarId, lambda: None


@dataclass
class Peer:
    peer: str = CAFE
    protocol: str = "pop3"


class ThrottledPortalTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = 0.0
        self.checker, self.realm = Answers(), Realm()
        throttle = Throttle(LIMITS, lambda: self.time)
        self.portal = ThrottledPortal(self.realm, [self.checker], throttle, Names(None, "example.com"))

    def login(self, name: bytes = b"tom", password: bytes = b"x", peer: str = CAFE) -> Deferred[Any]:
        return self.portal.login(UsernamePassword(name, password), Peer(peer), IMail)  # type: ignore[arg-type]

    def refuse(self, times: int, name: bytes = b"tom", password: bytes = b"x") -> None:
        self.checker.answer = BadLogin()
        for _ in range(times):
            self.failureResultOf(self.login(name, password), BadLogin)

    def test_a_good_login_gets_what_the_realm_gives(self) -> None:
        interface, avatar, _ = self.successResultOf(self.login())
        self.assertEqual((interface, avatar), (IMail, "account"))

    def test_a_throttled_login_asks_no_checker(self) -> None:
        self.refuse(3)
        self.failureResultOf(self.login(), Limited)
        self.assertEqual(self.checker.asked, 3)

    def test_names_are_one_in_any_case_and_with_the_default_domain(self) -> None:
        self.refuse(1, b"tom")
        self.refuse(1, b"TOM")
        self.refuse(1, b"Tom@Example.com")
        self.failureResultOf(self.login(), Limited)

    def test_names_that_are_no_text_are_counted_too(self) -> None:
        self.refuse(3, b"\xff")
        self.failureResultOf(self.login(b"\xff"), Limited)

    def test_trouble_and_a_locked_maildrop_count_nothing(self) -> None:
        for error in (Unavailable(), ZeroDivisionError()):
            self.checker.answer = error
            for _ in range(20):
                self.failureResultOf(self.login(), type(error))
        self.checker.answer, self.realm.answer = "account", Busy()
        for _ in range(20):
            self.failureResultOf(self.login(), Busy)
        self.realm.answer = None
        self.successResultOf(self.login())

    def test_tokens_count_by_address_alone(self) -> None:
        token = b"eyJhbGciOiJIUzI1NiJ9.e30.x"
        self.refuse(3, b"jwt", token)
        self.checker.answer = "account"
        self.successResultOf(self.login(b"jwt", token, HOME))
        self.refuse(3, b"jwt", token)
        self.failureResultOf(self.portal.login(BearerToken(b"", b"x"), Peer(), IMail), Limited)  # type: ignore[arg-type]

    def test_all_kinds_of_credentials_that_the_checkers_take_are_taken(self) -> None:
        self.assertEqual(set(self.portal.listCredentialsInterfaces()), {IUsernamePassword, IBearerToken})
        self.successResultOf(self.portal.login(BearerToken(b"", b"x"), Peer(), IMail))  # type: ignore[arg-type]
