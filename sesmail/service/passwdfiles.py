"""Password files wherever they lie: read for logins, changed by logins and commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sesmail.auth.domains import File, Load
from sesmail.auth.edits import Editable
from sesmail.auth.entries import Content
from sesmail.auth.localfile import LocalFile
from sesmail.auth.run import Run
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.interfaces import StorePlace
from sesmail.storage.keys import Places
from sesmail.storage.read.readers import Readers
from sesmail.storage.store import Store, Unchanged

OCTETS = 4 << 20


class StoredFile:
    """A password file in a store; see sesmail.auth.edits.Editable. The store is asked for when it is needed."""

    def __init__(self, store: Callable[[], Store], key: str) -> None:
        self._store = store
        self._key = key

    def load(self) -> Content:
        """See Editable."""
        try:
            found = self._store().load(self._key, limit=OCTETS)
        except NoSuchMessage:
            return Content()
        if isinstance(found, Unchanged):
            raise Unavailable(cause="unchanged, but never loaded")
        return Content(found.data, found.etag)

    def put(self, data: bytes, etag: str | None) -> None:
        """See Editable."""
        self._store().put(self._key, data, absent=etag is None, match=etag)


class PasswdFiles:
    """The password files of the domains, and the one for everybody, `common`: a path of this machine or a key in `store`."""

    def __init__(self, where: Places, store: StorePlace, common: str | None, store_of: Callable[[StorePlace], Store]) -> None:
        self._where = where
        self._store = store
        self._common = common
        self._store_of = store_of

    def editable(self, domain: str) -> Editable:
        """The password file of a domain, ``""`` for the one for everybody."""
        if not domain and self._common is not None:
            return self._editable_common(self._common)
        place, key = self._where.passwd(domain)
        return StoredFile(lambda: self._store_of(place), key)

    def loads(self, read: Readers) -> Load:
        """Loads the password file of a domain, None when it still has the known ETag. Raises NoSuchMessage, Unavailable, TooLarge."""

        async def load(domain: str, known: str | None) -> File | None:
            place, key = self._where.passwd(domain)
            return await _loaded(read, place, key, known)

        return load

    def loads_common(self, read: Readers, run: Run) -> Load:
        """The same for the one for everybody."""
        common = self._common or ""

        async def load(domain: str, known: str | None) -> File | None:
            if common.startswith("/"):
                content: Content | None = await run(LocalFile(Path(common)).changed, known)
                return content
            return await _loaded(read, self._store, common, known)

        return load

    def _editable_common(self, common: str) -> Editable:
        if common.startswith("/"):
            return LocalFile(Path(common))
        return StoredFile(lambda: self._store_of(self._store), common)


async def _loaded(read: Readers, place: StorePlace, key: str, known: str | None) -> File | None:
    found = await read.reader(place).load(key, limit=OCTETS, known=known)
    return None if isinstance(found, Unchanged) else found
