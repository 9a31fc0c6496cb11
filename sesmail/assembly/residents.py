"""Who lives here: which accounts there are, by the configuration and by password files, and where their mail lies.

Blocking. Checkers that only know whether a password is right (jwt, http, dovecot) tell of nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from sesmail.assembly.accountfiles import AccountFiles, Content, Load
from sesmail.assembly.stores import StoreOf, parts
from sesmail.auth.localfile import LocalFile
from sesmail.auth.names import Name, Names, UnknownUser, fold
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.errors import NoSuchMailbox
from sesmail.interfaces import Place, StorePlace
from sesmail.storage.keys import Places
from sesmail.storage.store import Loaded

OCTETS = 4 << 20
"""The longest password file that is read."""


class Known(Protocol):
    """One of those who know accounts. Raises Unavailable."""

    def has(self, name: Name) -> bool:
        """Whether there is such an account."""

    def serves(self, domain: str) -> bool:
        """Whether there is any account in this domain."""


class Residents:
    """`static` are mailboxes of accounts in the configuration, by account and by address. `known` are asked in turn about others.
    Thread-safe."""

    def __init__(
        self, names: Names, static: Mapping[str, Place], known: Iterable[Known], place_of: Callable[[str, str], Place]
    ) -> None:
        self._names = names
        self.change(static, known, place_of)

    def change(self, static: Mapping[str, Place], known: Iterable[Known], place_of: Callable[[str, str], Place]) -> None:
        """These from now on, and none of those before."""
        self._static, self._known, self._place_of = static, tuple(known), place_of
        self._domains = frozenset(name.rpartition("@")[2] for name in static if "@" in name)

    def place(self, account: str) -> Place | None:
        """Where the mail of an account lies, which is named with or without its domain; None where there is none of that name, as of
        every name that may be no part of a key. Raises Unavailable."""
        try:
            spelled = account.encode()
            if (place := self._static.get(self._names.complete(spelled))) is not None:
                return place
            name = self._names.user(spelled)
            if any(known.has(name) for known in self._known):
                return self._place_of(name.local, name.domain)
        except (UnknownUser, NoSuchMailbox, UnicodeEncodeError):
            return None
        return None

    def serves(self, domain: str) -> bool:
        """Whether there is any account in this domain. Raises Unavailable."""
        if domain in self._domains:
            return True
        try:
            # A file is asked for only where there may be one: where keys cannot be listed, S3 says no more than that it is forbidden.
            self._names.parse(f"x@{domain}".encode())
        except (UnknownUser, UnicodeEncodeError):
            return False
        return any(known.serves(domain) for known in self._known)


class InDomainFiles:
    """Accounts in the password files of their domains."""

    def __init__(self, files: AccountFiles) -> None:
        self._files = files

    def has(self, name: Name) -> bool:
        """See Known."""
        if not name.domain:
            return False
        users = self._files.names(name.domain).users
        return name.local in users or str(name) in users

    def serves(self, domain: str) -> bool:
        """See Known."""
        return bool(self._files.names(domain).users)


class InCommonFile:
    """Accounts in the one password file of all."""

    def __init__(self, files: AccountFiles, names: Names) -> None:
        self._files = files
        self._names = names

    def has(self, name: Name) -> bool:
        """See Known."""
        users = self._files.names("").users
        return str(name) in users or (self._names.is_default(name.domain) and name.local in users)

    def serves(self, domain: str) -> bool:
        """See Known."""
        found = self._files.names("")
        return domain in found.domains or (self._names.is_default(domain) and bool(found.users))


def names(config: Config) -> Names:
    """Which login names are served."""
    domains = config.mailboxes.domains
    return Names(None if domains is None else frozenset(domains), config.mailboxes.default_domain)


def residents(config: Config, where: Places, store_of: StoreOf, *, now: Callable[[], float] = time.monotonic) -> Residents:
    """Those of the configuration."""
    return Residents(names(config), _static(config, where), _known(config, where, store_of, now), where.place)


def renew(
    people: Residents, config: Config, where: Places, store_of: StoreOf, *, now: Callable[[], float] = time.monotonic
) -> None:
    """Make them those of the configuration; nothing that was read of password files is remembered."""
    people.change(_static(config, where), _known(config, where, store_of, now), where.place)


def _known(config: Config, where: Places, store_of: StoreOf, now: Callable[[], float]) -> list[Known]:
    known: list[Known] = []
    lifetime = config.auth.passwd_cache
    if "passwd" in config.auth.checkers:
        known.append(InDomainFiles(AccountFiles(_of_domain(where, store_of), lifetime, now)))
    if "passwd-file" in config.auth.checkers:
        known.append(InCommonFile(AccountFiles(_of_all(config, store_of), lifetime, now), names(config)))
    return known


def _static(config: Config, where: Places) -> Mapping[str, Place]:
    found: dict[str, Place] = {}
    if "static" not in config.auth.checkers:
        return found
    for user in config.auth.users:
        place = where.place(*parts(user, config))
        found.setdefault(names(config).complete(user.name.encode()), place)
        if user.address:
            found.setdefault(fold(user.address), place)
    return found


def _of_domain(where: Places, store_of: StoreOf) -> Load:
    def load(domain: str, known: str | None) -> Content | None:
        place, key = where.passwd(domain)
        return _loaded(store_of, place, key, known)

    return load


def _of_all(config: Config, store_of: StoreOf) -> Load:
    common = config.auth.passwd_file or ""

    def load(domain: str, known: str | None) -> Content | None:
        if not common.startswith("/"):
            return _loaded(store_of, default_store(config), common, known)
        found = LocalFile(Path(common)).changed(known)
        return None if found is None else Content(found.data, found.etag)

    return load


def _loaded(store_of: StoreOf, place: StorePlace, key: str, known: str | None) -> Content | None:
    found = store_of(place).load(key, limit=OCTETS, known=known)
    return Content(found.data, found.etag) if isinstance(found, Loaded) else None
