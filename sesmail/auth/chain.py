"""Several checkers as one, because a portal keeps only one checker for each kind of credentials."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isawaitable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials
from twisted.cred.error import LoginFailed
from twisted.internet.defer import Deferred
from zope.interface import implementer

from sesmail.auth.names import UnknownUser
from sesmail.errors import BadLogin
from sesmail.interfaces import Account


@implementer(ICredentialsChecker)
class FirstOf:
    """Ask each checker in turn; the first that knows the login decides.

    Only UnknownUser moves on. A wrong password ends the login as BadLogin, and so does cred's own LoginFailed, which does
    not say which of the two it was. A checker that could not find out ends it with the error that says so. Nobody's user:
    BadLogin.
    """

    def __init__(self, checkers: Iterable[ICredentialsChecker]) -> None:
        self._checkers = tuple(checkers)
        kinds = (kind for checker in self._checkers for kind in checker.credentialInterfaces)
        self.credentialInterfaces = tuple(dict.fromkeys(kinds))

    # cred's annotations know only bytes as an avatar id; its portal hands on whatever it gets.
    def requestAvatarId(self, credentials: ICredentials) -> Deferred[Account]:  # type: ignore[override]
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: ICredentials) -> Account:
        for checker in self._checkers:
            if not any(kind.providedBy(credentials) for kind in checker.credentialInterfaces):
                continue
            try:
                return await ask(checker, credentials)
            except UnknownUser:
                continue
        raise BadLogin


async def ask(checker: ICredentialsChecker, credentials: ICredentials) -> Account:
    """What one checker says. Raises UnknownUser, BadLogin, which cred's own LoginFailed becomes, or what else it raises."""
    try:
        answer: Any = checker.requestAvatarId(credentials)
        account: Account = await answer if isawaitable(answer) else answer
    except LoginFailed as error:
        raise BadLogin from error
    return account
