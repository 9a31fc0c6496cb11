"""Who lives here: whose mailbox an address of a local domain leads to, and which accounts may send as it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime

from sesmail.auth.domains import Domains
from sesmail.auth.names import Name, Names, UnknownUser, fold
from sesmail.config.table import Config
from sesmail.errors import NoSuchMailbox
from sesmail.interfaces import Place
from sesmail.mail.address import Address
from sesmail.service import logins
from sesmail.service.passwdfiles import PasswdFiles
from sesmail.service.workers import Workers
from sesmail.storage.keys import Places
from sesmail.storage.read.readers import Readers

# The accounts that an address leads to; none where the table does not say. Raises Unavailable.
Resolve = Callable[[str], Awaitable[Sequence[str]]]
# Is there such an account? Raises Unavailable.
Known = Callable[[Name], Awaitable[bool]]


class Residents:
    """`static` are mailboxes of accounts in the configuration, by account and by address. `known` are asked in turn about others.

    Of an address with a tag that nobody has, the one without it counts.
    """

    def __init__(
        self,
        names: Names,
        resolve: Resolve,
        static: Mapping[str, Place],
        known: Iterable[Known],
        place_of: Callable[[str, str], Place],
    ) -> None:
        self._names = names
        self._resolve = resolve
        self._static = static
        self._known = tuple(known)
        self._place_of = place_of

    async def accepts(self, address: str) -> bool:
        """Whether there is a mailbox for it. Raises Unavailable."""
        return bool(await self.places(address))

    async def places(self, address: str) -> Sequence[Place]:
        """The mailboxes for it, none where nobody lives. Raises Unavailable."""
        for text in _with_and_without_tag(address):
            accounts = await self._resolve(text) or (text,)
            found = [place for account in accounts if (place := await self._place(account)) is not None]
            if found:
                return tuple(dict.fromkeys(found))
        return ()

    async def may_send_as(self, account: str, address: str) -> bool:
        """Whether the table of aliases leads the address to this account. Raises Unavailable."""
        for text in _with_and_without_tag(address):
            owners = await self._resolve(text)
            if owners:
                return account in {self._names.complete(owner.encode()) for owner in owners}
        return False

    async def _place(self, account: str) -> Place | None:
        full = self._names.complete(account.encode())
        if full in self._static:
            return self._static[full]
        try:
            name = self._names.parse(account.encode())
            for known in self._known:
                if await known(name):
                    return self._place_of(name.local, name.domain)
        except (UnknownUser, NoSuchMailbox):
            return None
        return None


def _with_and_without_tag(address: str) -> tuple[str, ...]:
    parsed = Address.parse(address)
    return tuple(dict.fromkeys((fold(str(parsed)), fold(str(parsed.without_tag)))))


def resident_accounts(
    config: Config,
    reactor: IReactorTime,
    resolve: Resolve,
    where: Places,
    files: PasswdFiles,
    read: Readers,
    workers: Workers,
) -> Residents:
    """Those that the configuration tells of. Checkers that only know whether a password is right tell of nobody."""
    names = logins.names(config)
    static: dict[str, Place] = {}
    for user in logins.static_users(config, where) if "static" in config.auth.checkers else ():
        static.setdefault(names.complete(user.name.encode()), user.place)
        if user.address:
            static.setdefault(user.address, user.place)
    known: list[Known] = []
    lifetime = config.auth.passwd_cache
    if "passwd" in config.auth.checkers:
        known.append(in_domain_file(Domains(files.loads(read), lifetime, reactor.seconds, run=workers.run)))
    if "passwd-file" in config.auth.checkers:
        common = Domains(files.loads_common(read, workers.run), lifetime, reactor.seconds, run=workers.run)
        known.append(in_common_file(common, names))
    return Residents(names, resolve, static, known, where.place)


def in_domain_file(domains: Domains) -> Known:
    """Accounts in the password file of their domain."""

    async def known(name: Name) -> bool:
        users = (await domains.records(name.domain)).users
        return name.local in users or str(name) in users

    return known


def in_common_file(domains: Domains, names: Names) -> Known:
    """Accounts in the one password file of all."""

    async def known(name: Name) -> bool:
        users = (await domains.records("")).users
        return str(name) in users or (names.is_default(name.domain) and name.local in users)

    return known
