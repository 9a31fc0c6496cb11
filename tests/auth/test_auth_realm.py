"""What an account gets from the realm, and how often it may come."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import Interface
from zope.interface.verify import verifyObject

from sesmail.auth.logindelay import LoginDelay
from sesmail.auth.realm import Logout, Realm
from sesmail.errors import Busy, Limited
from sesmail.interfaces import Account

TOM = Account("tom@example.com", None, None)


class IBox(Interface):
    pass


class IOther(Interface):
    pass


class RealmTest(TestCase):
    def setUp(self) -> None:
        self.left = 0
        self.locked = False
        self.time = 0.0

    async def open(self, account: Account, client: object) -> tuple[object, Logout]:
        if self.locked:
            raise Busy
        return (account, client), self.leave

    def leave(self) -> Deferred[None]:
        self.left += 1
        return succeed(None)

    def request(self, realm: Realm, *interfaces: Any) -> Deferred[Any]:
        return realm.requestAvatar(TOM, "client", *interfaces)  # type: ignore[arg-type]

    def test_it_is_a_realm(self) -> None:
        verifyObject(IRealm, Realm({}))
        Portal(Realm({}))

    def test_the_factory_of_the_first_interface_that_is_served_opens(self) -> None:
        interface, avatar, _ = self.successResultOf(self.request(Realm({IBox: self.open}), IOther, IBox))
        self.assertEqual((interface, avatar), (IBox, (TOM, "client")))

    def test_an_interface_that_nobody_serves_is_not_implemented(self) -> None:
        self.failureResultOf(self.request(Realm({IBox: self.open}), IOther), NotImplementedError)

    def test_logout_leaves_once_however_often_it_is_called(self) -> None:
        _, _, logout = self.successResultOf(self.request(Realm({IBox: self.open}), IBox))
        self.successResultOf(logout())
        logout()
        self.assertEqual(self.left, 1)

    def test_a_factory_s_refusal_reaches_the_protocol(self) -> None:
        self.locked = True
        self.failureResultOf(self.request(Realm({IBox: self.open}), IBox), Busy)

    def test_an_account_that_returns_too_soon_is_limited(self) -> None:
        realm = Realm({IBox: self.open}, {IBox: LoginDelay(60.0, lambda: self.time)})
        self.successResultOf(self.request(realm, IBox))
        self.time = 59.0
        self.failureResultOf(self.request(realm, IBox), Limited)
        self.time = 60.0
        self.successResultOf(self.request(realm, IBox))

    def test_a_login_that_failed_does_not_count(self) -> None:
        realm = Realm({IBox: self.open}, {IBox: LoginDelay(60.0, lambda: self.time)})
        self.locked = True
        self.failureResultOf(self.request(realm, IBox), Busy)
        self.locked = False
        self.successResultOf(self.request(realm, IBox))


class LoginDelayTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = 0.0
        self.delay = LoginDelay(10.0, lambda: self.time, limit=3)

    def test_accounts_are_counted_apart(self) -> None:
        self.delay.record("a")
        self.delay.check("b")
        self.assertRaises(Limited, self.delay.check, "a")

    def test_a_refusal_does_not_prolong_the_delay(self) -> None:
        self.delay.record("a")
        self.time = 9.0
        self.assertRaises(Limited, self.delay.check, "a")
        self.time = 10.0
        self.delay.check("a")

    def test_beyond_the_limit_the_oldest_is_forgotten(self) -> None:
        for name in "abcd":
            self.delay.record(name)
        self.delay.check("a")
        for name in "bcd":
            self.assertRaises(Limited, self.delay.check, name)

    def test_what_is_over_is_not_kept(self) -> None:
        self.delay.record("a")
        self.time = 11.0
        self.delay.record("b")
        self.assertEqual(list(self.delay._last), ["b"])
