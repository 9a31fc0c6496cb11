"""The checker for passwd.txt, one file a domain, kept in the store beside the mail."""

from __future__ import annotations

from collections.abc import Callable

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from zope.interface import implementer

from sesmail.auth import hashes
from sesmail.auth.domains import Domains
from sesmail.auth.names import Names, UnknownUser
from sesmail.auth.records import Record
from sesmail.auth.run import Run
from sesmail.errors import BadLogin
from sesmail.interfaces import Account, Place

# Where the mail of a local part and domain lies.
PlaceOf = Callable[[str, str], Place]


@implementer(ICredentialsChecker)
class PasswdChecker:
    """Who is in a domain's passwd.txt may log in to the mailbox of that address.

    The file verifies the address too. Unavailable when the file could not be read: never a wrong password.
    """

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815

    def __init__(self, names: Names, domains: Domains, place_of: PlaceOf, run: Run) -> None:
        self._names = names
        self._domains = domains
        self._place_of = place_of
        self._run = run

    # cred's annotations know only bytes as an avatar id; its portal hands on whatever it gets.
    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[Account]:  # type: ignore[override]
        return Deferred.fromCoroutine(self._check(credentials.username, credentials.password))

    async def _check(self, username: bytes, password: bytes) -> Account:
        name = self._names.parse(username)
        records = await self._domains.records(name.domain)
        record = records.users.get(name.local)
        # An unknown user is verified too, so that he costs what a wrong password costs.
        tried = record or Record(name.local, hashes.NOBODY)
        right = await self._run(hashes.verify, tried.hash, tried.local, password)
        if record is None:
            raise UnknownUser
        if not right:
            raise BadLogin
        return Account(str(name), str(name), self._place_of(name.local, name.domain))
