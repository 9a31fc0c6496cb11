"""The checker for users that are listed in the configuration, each with a mailbox of its own."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from sesmail.auth.names import Names, UnknownUser
from sesmail.errors import BadLogin
from sesmail.interfaces import Account, Place


@dataclass(frozen=True)
class StaticUser:
    """One user. `name` need not be an address; `address` is what he may call his own, None for nothing."""

    name: str
    password: str = field(repr=False)
    place: Place
    address: str | None = None


@implementer(ICredentialsChecker)
class StaticChecker:
    """Names fold case and get the default domain where they have none, on both sides of the comparison."""

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815

    def __init__(self, names: Names, users: Iterable[StaticUser]) -> None:
        self._names = names
        self._users = {names.complete(user.name.encode()): user for user in users}

    # cred's annotations know only bytes as an avatar id; its portal hands on whatever it gets.
    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[Account]:  # type: ignore[override]
        return execute(self._check, credentials.username, credentials.password)

    def _check(self, username: bytes, password: bytes) -> Account:
        name = self._names.complete(username)
        user = self._users.get(name)
        # An unknown user is compared too, so that he costs what a wrong password costs.
        right = _same(password, user.password if user else "")
        if user is None:
            raise UnknownUser
        if not right:
            raise BadLogin
        return Account(name, user.address, user.place)


def _same(typed: bytes, configured: str) -> bool:
    # Digests have one length: comparing the passwords themselves would tell how long the right one is.
    return hmac.compare_digest(sha256(typed).digest(), sha256(configured.encode()).digest())
