"""Keep the parsed passwd.txt of the domains in use: loaded on demand, again when it may have changed, in bounded number."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sesmail.auth.records import Records, parse
from sesmail.auth.run import Run
from sesmail.errors import MailError, NoSuchMessage, Unavailable

_log = logging.getLogger(__name__)

DOMAINS = 1000


class File(Protocol):
    """A credential file as it was loaded."""

    @property
    def data(self) -> bytes: ...

    @property
    def etag(self) -> str | None: ...


# The file of a domain, or None when it still has the ETag that is known. Raises NoSuchMessage when the domain has none.
Load = Callable[[str, str | None], Awaitable[File | None]]


@dataclass
class _Entry:
    records: Records
    etag: str | None
    fresh_until: float


class Domains:
    """The users of each domain, at most `lifetime` seconds old.

    A domain without a file has no users, which is remembered for as long. At most `limit` domains are kept, the one asked
    for least recently goes first. However many logins ask at once, a domain is loaded once. With `run` files are parsed in a
    worker: one of several megabytes takes most of a second.
    """

    def __init__(
        self, load: Load, lifetime: float, now: Callable[[], float], *, limit: int = DOMAINS, run: Run | None = None
    ) -> None:
        self._load = load
        self._run = run
        self._lifetime = lifetime
        self._now = now
        self._limit = limit
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._waiting: dict[str, list[Deferred[Records]]] = {}

    async def records(self, domain: str) -> Records:
        """Raises Unavailable when the file could not be read, and then remembers nothing of it."""
        entry = self._entries.get(domain)
        if entry is not None and self._now() < entry.fresh_until:
            self._entries.move_to_end(domain)
            return entry.records
        return await self._wait(domain)

    def expire(self, domain: str) -> None:
        """The domain's file was changed: the next login looks at it again."""
        entry = self._entries.get(domain)
        if entry is not None:
            entry.fresh_until = self._now()

    def _wait(self, domain: str) -> Deferred[Records]:
        # Each login waits by itself: one that is cancelled must not take the load away from the others.
        loading = domain in self._waiting
        waiting = self._waiting.setdefault(domain, [])
        mine: Deferred[Records] = Deferred(waiting.remove)
        waiting.append(mine)
        if not loading:
            Deferred.fromCoroutine(self._refresh(domain)).addBoth(self._tell, domain)
        return mine

    def _tell(self, result: Records | Failure, domain: str) -> None:
        for waiting in self._waiting.pop(domain):
            waiting.callback(result)

    async def _refresh(self, domain: str) -> Records:
        known = self._entries.get(domain)
        try:
            file = await self._load(domain, known.etag if known else None)
        except NoSuchMessage:
            return self._keep(domain, Records(), None)
        except Unavailable:
            raise
        except MailError as error:
            raise Unavailable(cause=error) from error
        if file is None:
            return self._still(domain, known)
        records = await self._run(parse, file.data) if self._run is not None else parse(file.data)
        _tell_of(domain, records)
        return self._keep(domain, records, file.etag)

    def _still(self, domain: str, known: _Entry | None) -> Records:
        if known is None:
            raise Unavailable(cause="unchanged, but never loaded")
        return self._keep(domain, known.records, known.etag)

    def _keep(self, domain: str, records: Records, etag: str | None) -> Records:
        self._entries[domain] = _Entry(records, etag, self._now() + self._lifetime)
        self._entries.move_to_end(domain)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)
        return records


def _tell_of(domain: str, records: Records) -> None:
    for lines, what in ((records.malformed, "malformed lines ignored"), (records.unusable, "no password fits these lines")):
        if lines:
            _log.warning("password file %s: %s: %s", domain or "of all", what, ", ".join(map(str, lines[:10])))
