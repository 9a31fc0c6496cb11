"""The checkers of passwd.txt and of configured users, and the chain that asks them in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.cred.checkers import ANONYMOUS, AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sesmail.auth import hashes
from sesmail.auth.chain import FirstOf
from sesmail.auth.domains import Domains
from sesmail.auth.names import Names, UnknownUser
from sesmail.auth.passwd import PasswdChecker
from sesmail.auth.static import StaticChecker, StaticUser
from sesmail.errors import BadLogin, NoSuchMessage, Unavailable
from sesmail.interfaces import Account, Place, StorePlace

STORE = StorePlace("s3://bucket")
PASSWD = f"Tom:{hashes.legacy('Tom', b'right')}\r\nann:{hashes.legacy('ann', b'hers')}\r\n".encode()


@dataclass
class File:
    data: bytes
    etag: str = "one"


class Passwd:
    """A checker over one file at example.com that notes what it loads and hashes."""

    def __init__(self, names: Names | None = None) -> None:
        self.loads: list[str] = []
        self.hashed: list[tuple[Any, ...]] = []
        self.broken: Exception | None = None
        self.full = False
        domains = Domains(self.load, 30.0, lambda: 0.0)
        self.checker = PasswdChecker(names or Names(None, "example.com"), domains, self.place_of, self.run)  # type: ignore[arg-type]

    async def load(self, domain: str, known: str | None) -> File:
        self.loads.append(domain)
        if self.broken:
            raise self.broken
        if domain != "example.com":
            raise NoSuchMessage
        return File(PASSWD)

    def place_of(self, local: str, domain: str) -> Place:
        return Place(STORE, f"mailboxes/{domain}/{local}/")

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        if self.full:
            raise Unavailable
        self.hashed.append(args)
        return function(*args)


def login(checker: Any, name: bytes, password: bytes) -> Deferred[Account]:
    return maybeDeferred(checker.requestAvatarId, UsernamePassword(name, password))


class PasswdCheckerTest(TestCase):
    def setUp(self) -> None:
        self.passwd = Passwd()

    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, self.passwd.checker)

    def test_the_account_has_its_address_and_its_place_in_lower_case(self) -> None:
        account = self.successResultOf(login(self.passwd.checker, b"ANN@Example.com", b"hers"))
        place = Place(STORE, "mailboxes/example.com/ann/")
        self.assertEqual(account, Account("ann@example.com", "ann@example.com", place))

    def test_the_hash_is_salted_with_the_name_as_the_file_writes_it(self) -> None:
        for typed in (b"tom", b"Tom", b"TOM@example.com"):
            self.assertEqual(self.successResultOf(login(self.passwd.checker, typed, b"right")).name, "tom@example.com")

    def test_a_wrong_password_is_a_bad_login_that_asks_nobody_else(self) -> None:
        error = self.failureResultOf(login(self.passwd.checker, b"tom", b"wrong"), BadLogin).value
        self.assertNotIsInstance(error, UnknownUser)

    def test_an_unknown_user_and_a_wrong_password_cost_the_same(self) -> None:
        self.failureResultOf(login(self.passwd.checker, b"nobody", b"guess"), UnknownUser)
        unknown, self.passwd.hashed = self.passwd.hashed, []
        self.failureResultOf(login(self.passwd.checker, b"tom", b"guess"), BadLogin)
        self.assertEqual(len(unknown), len(self.passwd.hashed))
        self.assertEqual(len(unknown[0][0]), len(self.passwd.hashed[0][0]))

    def test_an_unknown_domain_costs_the_same(self) -> None:
        self.failureResultOf(login(self.passwd.checker, b"tom@other.example", b"guess"), UnknownUser)
        self.assertEqual(len(self.passwd.hashed), 1)

    def test_a_name_like_a_path_never_reaches_the_store(self) -> None:
        for name in (b"../x", b"a/b@example.com", b"x@../example.com", b".sesmail@example.com", b"+F", b"*@example.com", b"\0"):
            self.failureResultOf(login(self.passwd.checker, name, b"x"), UnknownUser)
        self.assertEqual(self.passwd.loads, [])

    def test_a_domain_that_is_not_served_never_reaches_the_store(self) -> None:
        passwd = Passwd(Names(frozenset({"example.com"})))
        self.failureResultOf(login(passwd.checker, b"tom@other.example", b"x"), UnknownUser)
        self.assertEqual(passwd.loads, [])

    def test_a_store_that_fails_is_unavailable_and_no_bad_login(self) -> None:
        self.passwd.broken = Unavailable()
        error = self.failureResultOf(login(self.passwd.checker, b"tom", b"right"), Unavailable).value
        self.assertNotIsInstance(error, BadLogin)

    def test_a_full_pool_is_unavailable_and_no_bad_login(self) -> None:
        self.passwd.full = True
        self.failureResultOf(login(self.passwd.checker, b"tom", b"right"), Unavailable)
        self.failureResultOf(login(self.passwd.checker, b"nobody", b"right"), Unavailable)


class StaticCheckerTest(TestCase):
    def setUp(self) -> None:
        users = [
            StaticUser("Owner", "pass word", Place(STORE, "inbox/")),
            StaticUser("ann@Example.com", "hers", Place(STORE, "ann"), "ann@example.com"),
        ]
        self.checker = StaticChecker(Names(None, "example.com"), users)

    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, self.checker)

    def test_each_user_has_his_own_place_and_address(self) -> None:
        ann = self.successResultOf(login(self.checker, b"Ann@example.COM", b"hers"))
        self.assertEqual(ann, Account("ann@example.com", "ann@example.com", Place(STORE, "ann")))

    def test_names_without_a_domain_are_the_same_with_the_default_domain(self) -> None:
        for typed in (b"owner", b"OWNER", b"owner@example.com"):
            account = self.successResultOf(login(self.checker, typed, b"pass word"))
            self.assertEqual((account.place, account.address), (Place(STORE, "inbox/"), None))

    def test_without_a_default_domain_the_bare_name_is_the_name(self) -> None:
        checker = StaticChecker(Names(None), [StaticUser("user", "changed", Place(STORE, ""))])
        self.assertEqual(self.successResultOf(login(checker, b"User", b"changed")).name, "user")

    def test_a_wrong_password_is_not_an_unknown_user(self) -> None:
        for password in (b"", b"pass word ", b"pass", b"\xff"):
            error = self.failureResultOf(login(self.checker, b"owner", password), BadLogin).value
            self.assertNotIsInstance(error, UnknownUser)

    def test_an_unknown_user_with_any_password_is_unknown(self) -> None:
        for name in (b"nobody", b"\xff\xfe", b"", b"../owner"):
            self.failureResultOf(login(self.checker, name, b""), UnknownUser)

    def test_passwords_do_not_show_in_the_repr(self) -> None:
        self.assertNotIn("s3cret", repr(StaticUser("a", "s3cret", Place(STORE, ""))))


@implementer(ICredentialsChecker)
class Answers:
    """Answers every login alike, and counts them."""

    def __init__(self, answer: object) -> None:
        self.credentialInterfaces = StaticChecker.credentialInterfaces
        self.answer = answer
        self.asked = 0

    def requestAvatarId(self, credentials: object) -> Deferred[Any]:
        self.asked += 1
        return fail(self.answer) if isinstance(self.answer, Exception) else succeed(self.answer)


ACCOUNT = Account("tom@example.com", "tom@example.com", None)


class FirstOfTest(TestCase):
    def check(self, *answers: object) -> tuple[Deferred[Account], list[int]]:
        checkers = [Answers(answer) for answer in answers]
        asked = login(FirstOf(checkers), b"tom", b"x")
        return asked, [checker.asked for checker in checkers]

    def test_it_is_a_checker_for_each_kind_of_credentials_once(self) -> None:
        chain = FirstOf([Answers(ACCOUNT), Answers(ACCOUNT), AllowAnonymousAccess()])
        verifyObject(ICredentialsChecker, chain)
        self.assertEqual(
            chain.credentialInterfaces, StaticChecker.credentialInterfaces + AllowAnonymousAccess.credentialInterfaces
        )

    def test_the_first_who_knows_the_user_decides(self) -> None:
        asked, counts = self.check(ACCOUNT, BadLogin())
        self.assertEqual((self.successResultOf(asked), counts), (ACCOUNT, [1, 0]))

    def test_an_unknown_user_goes_to_the_next(self) -> None:
        asked, counts = self.check(UnknownUser(), ACCOUNT)
        self.assertEqual((self.successResultOf(asked), counts), (ACCOUNT, [1, 1]))

    def test_a_wrong_password_goes_to_nobody_else(self) -> None:
        asked, counts = self.check(BadLogin(), ACCOUNT)
        self.failureResultOf(asked, BadLogin)
        self.assertEqual(counts, [1, 0])

    def test_cred_s_own_refusal_is_a_bad_login(self) -> None:
        asked, counts = self.check(UnauthorizedLogin(), ACCOUNT)
        self.failureResultOf(asked, BadLogin)
        self.assertEqual(counts, [1, 0])

    def test_one_that_could_not_find_out_ends_the_login_as_unavailable(self) -> None:
        asked, counts = self.check(UnknownUser(), Unavailable(), ACCOUNT)
        self.failureResultOf(asked, Unavailable)
        self.assertEqual(counts, [1, 1, 0])

    def test_a_user_whom_nobody_knows_hears_the_words_of_a_wrong_password(self) -> None:
        nobody, _ = self.check(UnknownUser(), UnknownUser())
        wrong, _ = self.check(BadLogin())
        errors = [self.failureResultOf(asked, BadLogin).value for asked in (nobody, wrong)]
        self.assertEqual([(type(error), error.public) for error in errors], [(BadLogin, BadLogin().public)] * 2)

    def test_a_bug_of_a_checker_is_not_taken_for_an_answer(self) -> None:
        asked, counts = self.check(ZeroDivisionError(), ACCOUNT)
        self.failureResultOf(asked, ZeroDivisionError)
        self.assertEqual(counts, [1, 0])

    def test_a_checker_is_asked_only_about_credentials_it_understands(self) -> None:
        never = Answers(BadLogin())
        chain = FirstOf([never, AllowAnonymousAccess()])
        self.assertEqual(self.successResultOf(chain.requestAvatarId(Anonymous())), ANONYMOUS)
        self.assertEqual(never.asked, 0)
