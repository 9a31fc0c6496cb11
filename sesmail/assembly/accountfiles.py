"""The names in password files, kept for a while: for whoever asks whether there is an account, in threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sesmail.auth.entries import users
from sesmail.errors import MailError, NoSuchMailbox, NoSuchMessage, Unavailable

FILES = 1000


class Content(NamedTuple):
    """A file as it was loaded."""

    data: bytes
    etag: str | None


Load = Callable[[str, str | None], Content | None]
"""The file of a domain, None when it still has the ETag that is known. Raises NoSuchMessage when there is none, NoSuchMailbox
when there can be none, and Unavailable."""


@dataclass(frozen=True)
class Names:
    """The users of a file by folded name, and the domains that they have."""

    users: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    names: Names | None = None
    etag: str | None = None
    fresh_until: float = 0.0
    ended: int = 0
    error: Unavailable | None = None


class AccountFiles:
    """The names of each file, at most `lifetime` seconds old by `now`. Thread-safe.

    A domain without a file has nobody, which is kept as long. However many ask at once, a file is loaded once. At most `limit` are
    kept, the one asked for least recently goes first.
    """

    def __init__(self, load: Load, lifetime: float, now: Callable[[], float], *, limit: int = FILES) -> None:
        self._load = load
        self._lifetime = lifetime
        self._now = now
        self._limit = limit
        self._lock = threading.Lock()
        self._files: OrderedDict[str, _Kept] = OrderedDict()

    def names(self, domain: str) -> Names:
        """Raises Unavailable when the file could not be read; that is not kept."""
        kept = self._kept(domain)
        ended = kept.ended
        with kept.lock:
            if kept.ended != ended and kept.error is not None:
                # Who waited for another's attempt does not repeat it: such attempts take long.
                raise Unavailable(kept.error.public, cause=kept.error.cause)
            if kept.names is None or self._now() >= kept.fresh_until:
                return self._refreshed(domain, kept)
            return kept.names

    def _kept(self, domain: str) -> _Kept:
        with self._lock:
            kept = self._files.setdefault(domain, _Kept())
            self._files.move_to_end(domain)
            while len(self._files) > self._limit:
                self._files.popitem(last=False)
            return kept

    def _refreshed(self, domain: str, kept: _Kept) -> Names:
        kept.error = None
        try:
            names, kept.etag = self._loaded(domain, kept.names, kept.etag)
        except MailError as error:
            kept.error = error if isinstance(error, Unavailable) else Unavailable(cause=error)
            raise kept.error from error
        finally:
            kept.ended += 1
        kept.names, kept.fresh_until = names, self._now() + self._lifetime
        return names

    def _loaded(self, domain: str, names: Names | None, etag: str | None) -> tuple[Names, str | None]:
        try:
            content = self._load(domain, None if names is None else etag)
        except (NoSuchMessage, NoSuchMailbox):
            return Names(), None
        if content is None:
            return names or Names(), etag
        found = users(content.data)
        return Names(found, frozenset(name.rpartition("@")[2] for name in found if "@" in name)), content.etag
