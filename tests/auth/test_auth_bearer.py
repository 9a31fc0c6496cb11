"""The checker for tokens: whom it lets in, where his mail lies, and that nobody else sees a token."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sesmail.auth.bearer import TokenChecker
from sesmail.auth.chain import FirstOf
from sesmail.auth.names import Names, UnknownUser
from sesmail.auth.tokens import make
from sesmail.config.load import load
from sesmail.credentials import BearerToken
from sesmail.errors import BadLogin
from sesmail.interfaces import DEMO, Account, Keys, Place, StorePlace
from sesmail.service.logins import place_at

SECRET = "a secret of more than thirty-two octets"
NOW = 1_700_000_000.0
GRANT = {
    "awsAccessKeyID": "AKIAEXAMPLE",
    "awsSecretAccessKey": "s3cretkey",
    "awsSessionToken": "session",
    "region": "eu-central-1",
    "bucket": "their-mail",
    "prefix": "tom",
}


def checker(secret: str = SECRET, environ: dict[str, str] | None = None) -> TokenChecker:
    config = load(None, {"HOME": "/nowhere", **(environ or {})})
    return TokenChecker(secret, Names(frozenset({"example.com"})), place_at(config), lambda: NOW)


def login(password: bytes | str, name: bytes = b"whoever", environ: dict[str, str] | None = None) -> Deferred[Account]:
    password = password.encode() if isinstance(password, str) else password
    return maybeDeferred(checker(environ=environ).requestAvatarId, UsernamePassword(name, password))


class TokenCheckerTest(SynchronousTestCase):
    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, checker())

    def test_the_token_says_where_the_mail_lies_and_with_which_keys(self) -> None:
        account = self.successResultOf(login(make(GRANT, SECRET)))
        store = StorePlace("s3://their-mail", region="eu-central-1", keys=Keys("AKIAEXAMPLE", "s3cretkey", "session"))
        self.assertEqual((account.place, account.address), (Place(store, "tom/"), None))
        self.assertNotIn("s3cretkey", repr(account))

    def test_an_endpoint_comes_from_the_configuration_alone(self) -> None:
        token = make({**GRANT, "endpoint": "http://evil.example", "url": "http://evil.example"}, SECRET)
        for endpoint in (None, "http://127.0.0.1:8333"):
            environ = {"SESMAIL__STORAGE__ENDPOINT": endpoint, "SESMAIL__STORAGE__URL": "s3://ours"} if endpoint else {}
            place = self.successResultOf(login(token, environ=environ | {"SESMAIL__TLS__SELF_SIGNED": "true"})).place
            self.assertIsNotNone(place)
            self.assertEqual(place and place.store.endpoint, endpoint)

    def test_the_user_name_does_not_matter(self) -> None:
        token = make(GRANT, SECRET)
        accounts = [self.successResultOf(login(token, name)) for name in (b"jwt", b"", b"\xff", b"../x")]
        self.assertEqual(len(set(accounts)), 1)

    def test_none_and_demo_have_mailboxes_of_their_own(self) -> None:
        self.assertEqual(self.successResultOf(login(make({"provider": "none"}, SECRET))), Account("none", None, None))
        self.assertEqual(self.successResultOf(login(make({"provider": "Demo"}, SECRET))), Account("demo", None, DEMO))

    def test_a_signed_address_at_a_served_domain_is_the_account_s(self) -> None:
        account = self.successResultOf(login(make({**GRANT, "email": "Tom@Example.com"}, SECRET)))
        self.assertEqual((account.name, account.address), ("tom@example.com", "tom@example.com"))

    def test_what_is_no_address_of_ours_lets_in_and_verifies_nothing(self) -> None:
        for email in ("tom@other.example", "tom", "", None, 7, ["tom@example.com"], "../x@example.com", "\ud800@example.com"):
            self.assertIsNone(self.successResultOf(login(make({**GRANT, "email": email}, SECRET))).address, email)

    def test_what_could_lead_to_another_host_is_refused(self) -> None:
        for name, values in {
            "bucket": ("evil.example/x", "a", "A" * 5, "x@y", "../..", "a.b/", "a:80", "bucket#", "é" * 9, "a..\n"),
            "region": ("evil.example/", "eu-central-1.evil.example", "x", "eu-central-1\n", "eu-central-1#", "EU-CENTRAL-1"),
        }.items():
            for value in values:
                self.failureResultOf(login(make({**GRANT, name: value}, SECRET)), BadLogin)

    def test_a_bad_token_ends_the_login(self) -> None:
        for password in (make(GRANT, "other"), make({"provider": "x"}, SECRET), make({"exp": 1}, SECRET), make({}, SECRET)):
            error = self.failureResultOf(login(password), BadLogin).value
            self.assertNotIsInstance(error, UnknownUser)

    def test_what_is_no_token_is_somebody_else_s(self) -> None:
        for password in (b"", b"secret", b"a.b.c", b"\xff"):
            self.failureResultOf(login(password), UnknownUser)

    def test_a_bearer_token_of_any_shape_is_decided_here(self) -> None:
        good = BearerToken(b"", make({"provider": "none"}, SECRET).encode())
        self.assertEqual(self.successResultOf(checker().requestAvatarId(good)).name, "none")
        for token in (b"", b"x", b"\xff", b"ya29.opaque"):
            error = self.failureResultOf(checker().requestAvatarId(BearerToken(b"", token)), BadLogin).value
            self.assertNotIsInstance(error, UnknownUser)

    def test_an_empty_secret_makes_no_checker(self) -> None:
        with self.assertRaises(ValueError):
            checker("")

    def test_a_refusal_logs_why_and_nothing_of_the_token(self) -> None:
        token = make({**GRANT, "exp": 1}, SECRET)
        with self.assertLogs("sesmail.auth.bearer", "INFO") as logged:
            self.failureResultOf(login(token), BadLogin)
        self.assertEqual(logged.output, ["INFO:sesmail.auth.bearer:a token was refused: it has expired"])


@implementer(ICredentialsChecker)
class Curious:
    """Takes everybody and keeps what it was shown."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        self.seen.append(credentials.password)
        return succeed(Account("curious", None, None))


class ChainTest(SynchronousTestCase):
    def test_a_token_good_or_bad_goes_to_nobody_else(self) -> None:
        curious = Curious()
        chain = FirstOf([checker(), curious])
        good, bad = make({"provider": "none"}, SECRET).encode(), make(GRANT, "other").encode()
        cut = make({"provider": "none", "x": "y" * 300}, SECRET).encode()[:250]
        self.successResultOf(chain.requestAvatarId(UsernamePassword(b"x", good)))
        for token in (bad, cut, bad + b"\n", b" " + bad):
            self.failureResultOf(chain.requestAvatarId(UsernamePassword(b"x", token)), BadLogin)
        self.assertEqual(curious.seen, [])
        self.successResultOf(chain.requestAvatarId(UsernamePassword(b"x", b"secret")))
        self.assertEqual(curious.seen, [b"secret"])
