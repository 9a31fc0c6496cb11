"""Checkers by name: the built-in ones, and one that a third party ships as a plugin file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import mock

from twisted.cred.credentials import UsernamePassword
from twisted.trial.unittest import TestCase

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
    place_of=lambda local, domain: None,  # type: ignore[arg-type,return-value]
    run=never,  # type: ignore[arg-type]
    now=lambda: 0.0,
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
        self.assertEqual([type(checker) for checker in made], [PasswdChecker, StaticChecker])

    def test_plugins_are_not_looked_for_when_all_are_our_own(self) -> None:
        with mock.patch.object(plugins, "getPlugins", side_effect=AssertionError):
            plugins.checkers(["passwd", "static"], TOOLS)

    def test_a_third_party_s_checker_logs_in(self) -> None:
        self.ship()
        (checker,) = plugins.checkers(["acme"], TOOLS)
        self.assertEqual(checker.requestAvatarId(UsernamePassword(b"Wile", b"")).name, "wile@example.com")  # type: ignore[attr-defined]

    def test_a_name_that_nobody_knows_is_named(self) -> None:
        self.ship()
        with self.assertRaises(LookupError) as caught:
            plugins.checkers(["acne"], TOOLS)
        self.assertEqual(str(caught.exception), "acne")
