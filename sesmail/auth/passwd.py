"""The checkers for password files: one a domain beside the mail, or one for everybody."""

from __future__ import annotations

import logging
from collections.abc import Callable

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from zope.interface import implementer

from sesmail.auth import hashes
from sesmail.auth.domains import Domains
from sesmail.auth.edits import Editable, amend, upgraded
from sesmail.auth.entries import Record
from sesmail.auth.names import Name, Names, UnknownUser
from sesmail.auth.records import Records
from sesmail.auth.run import Run
from sesmail.errors import BadLogin, MailError, NoSuchMailbox, Unavailable
from sesmail.interfaces import Account, Place

_log = logging.getLogger(__name__)

# Where the mail of a local part and domain lies.
PlaceOf = Callable[[str, str], Place]
# The password file of a domain, to be changed; "" for the one of everybody.
EditableOf = Callable[[str], Editable]


@implementer(ICredentialsChecker)
class PasswdChecker:
    """Who is in a domain's password file may log in to the mailbox of that address.

    The file verifies the address too. Unavailable when the file could not be read: never a wrong password. With `editable`,
    hashes that can be guessed quickly are replaced after a login, which does not wait for that.
    """

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815

    def __init__(
        self, names: Names, domains: Domains, place_of: PlaceOf, run: Run, *, editable: EditableOf | None = None
    ) -> None:
        self._names = names
        self._domains = domains
        self._place_of = place_of
        self._run = run
        self._editable = editable

    # cred's annotations know only bytes as an avatar id; its portal hands on whatever it gets.
    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[Account]:  # type: ignore[override]
        return Deferred.fromCoroutine(self._check(credentials.username, credentials.password))

    async def _check(self, username: bytes, password: bytes) -> Account:
        name = self._name(username)
        file = self._file(name)
        records = await self._domains.records(file)
        record = self._record(records, name)
        # An unknown user is verified too, so that he costs what a wrong password costs.
        tried = record or records.decoy
        right = await self._run(hashes.verify, tried.hash, tried.salt, password)
        if record is None:
            raise UnknownUser
        if not right:
            raise BadLogin
        if self._editable is not None and hashes.outdated(record.hash):
            Deferred.fromCoroutine(self._upgrade(self._editable, file, record, password))
        return Account(str(name), name.address, self._place_of(name.local, name.domain))

    def _name(self, username: bytes) -> Name:
        return self._names.parse(username)

    def _file(self, name: Name) -> str:
        return name.domain

    def _record(self, records: Records, name: Name) -> Record | None:
        return records.users.get(name.local) or records.users.get(str(name))

    async def _upgrade(self, editable: EditableOf, file: str, record: Record, password: bytes) -> None:
        try:
            await self._run(_rewrite, editable(file), record, password)
        except (MailError, ValueError) as error:
            _log.warning("a hash in the password file %s could not be replaced: %s", file or "of all", error)
        except Exception:
            _log.exception("a hash in the password file %s could not be replaced", file or "of all")
        else:
            self._domains.expire(file)
            _log.info("a hash in the password file %s was replaced by a better one", file or "of all")


class PasswdFileChecker(PasswdChecker):
    """Who is in the one password file may log in; names there may have a domain or not.

    A name without a domain in the file is that of the default domain, and where there is none, a login name as it is.
    """

    def _name(self, username: bytes) -> Name:
        return self._names.user(username)

    def _file(self, name: Name) -> str:
        return ""

    def _record(self, records: Records, name: Name) -> Record | None:
        full = records.users.get(str(name))
        return full or (records.users.get(name.local) if self._names.is_default(name.domain) else None)

    async def _check(self, username: bytes, password: bytes) -> Account:
        try:
            return await super()._check(username, password)
        except NoSuchMailbox as error:
            raise Unavailable(cause=error) from error


def _rewrite(file: Editable, record: Record, password: bytes) -> None:
    new = hashes.fresh(password)
    amend(file, lambda data: upgraded(data, record.name, record.hash, new))
