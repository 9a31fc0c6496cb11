"""Checkers by name: the built-in ones, and one that a third party ships as a plugin file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import mock

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

import twisted.plugins
from sesmail.auth import plugins
from sesmail.auth.names import Names
from sesmail.auth.passwd import PasswdChecker
from sesmail.auth.static import StaticChecker

ACME = """
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.plugin import IPlugin
from zope.interface import implementer

from sesmail.auth.names import UnknownUser
from sesmail.auth.plugins import ICheckerPlugin
from sesmail.interfaces import Account


@implementer(ICredentialsChecker)
class Acme:
    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, tools):
        self.tools = tools

    def requestAvatarId(self, credentials):
        name = self.tools.names.parse(credentials.username)
        if name.local != "wile":
            raise UnknownUser
        return Account(str(name), None, self.tools.place_of(*name))


@implementer(IPlugin, ICheckerPlugin)
class AcmePlugin:
    name = "acme"

    def make(self, tools):
        return Acme(tools)


acme = AcmePlugin()
"""


async def never(*args: object) -> None:
    raise AssertionError(args)


TOOLS = plugins.Tools(
    names=Names(None, "example.com"),
    load=never,
    load_all=never,
    editable=never,  # type: ignore[arg-type]
    place_of=lambda local, domain: None,  # type: ignore[arg-type,return-value]
    place_at=never,  # type: ignore[arg-type]
    run=never,  # type: ignore[arg-type]
    now=lambda: 0.0,
    unix_time=lambda: 0.0,
    reactor=Clock(),
    settings=plugins.Settings(jwt_secret="s3cret", http_url="https://auth.example.com/", dovecot="unix:/nowhere"),
)


class PluginsTest(TestCase):
    def ship(self) -> None:
        top = tempfile.mkdtemp(prefix="sesmail-test-")
        self.addCleanup(shutil.rmtree, top)
        folder = Path(top) / "twisted" / "plugins"
        folder.mkdir(parents=True)
        (folder / "acme_sesmail.py").write_text(ACME)
        self.patch(twisted.plugins, "__path__", [str(folder), *twisted.plugins.__path__])

    def test_our_own_come_in_the_order_of_the_configuration(self) -> None:
        made = plugins.checkers(["passwd", "static"], TOOLS)
        self.assertEqual([(name, type(made[name])) for name in made], [("passwd", PasswdChecker), ("static", StaticChecker)])

    def test_each_of_our_own_is_a_checker(self) -> None:
        for checker in plugins.checkers(plugins.BUILT_IN, TOOLS).values():
            verifyObject(ICredentialsChecker, checker)

    def test_tokens_are_looked_at_first_wherever_the_configuration_names_them(self) -> None:
        self.assertEqual(
            list(plugins.checkers(["static", "http", "jwt", "passwd"], TOOLS)), ["jwt", "static", "http", "passwd"]
        )

    def test_the_secret_of_tokens_does_not_show_in_the_repr(self) -> None:
        self.assertNotIn("s3cret", repr(TOOLS))

    def test_plugins_are_not_looked_for_when_all_are_our_own(self) -> None:
        with mock.patch.object(plugins, "getPlugins", side_effect=AssertionError):
            plugins.checkers(["passwd", "static"], TOOLS)

    def test_a_third_party_s_checker_logs_in(self) -> None:
        self.ship()
        checker = plugins.checkers(["acme"], TOOLS)["acme"]
        self.assertEqual(checker.requestAvatarId(UsernamePassword(b"Wile", b"")).name, "wile@example.com")  # type: ignore[attr-defined]

    def test_a_name_that_nobody_knows_is_named(self) -> None:
        self.ship()
        with self.assertRaises(LookupError) as caught:
            plugins.checkers(["acne"], TOOLS)
        self.assertEqual(str(caught.exception), "acne")
