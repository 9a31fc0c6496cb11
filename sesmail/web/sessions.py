"""Who is logged in on the page. Sessions live in this process, and end with it."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from sesmail.interfaces import Account

_OCTETS = 32


@dataclass
class Session:
    """One login. `csrf` is what its page says with each change, and no other page can know."""

    account: Account
    csrf: str = field(repr=False)
    began: float
    used: float


class Sessions:
    """Sessions by their ids, which are kept as digests alone: whoever reads this memory is not logged in by it.

    `now` is a clock in seconds. A session ends after `idle` seconds without a request, and `lifetime` seconds after it began. Of `limit`
    sessions in all, and `each` of one account, those longest unused are ended for new ones. `text` gives so many random octets as text.
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        idle: float,
        lifetime: float,
        limit: int = 10_000,
        each: int = 20,
        text: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._now = now
        self._idle = idle
        self._lifetime = lifetime
        self._limit = limit
        self._each = each
        self._text = text
        self._kept: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, account: Account) -> tuple[str, Session]:
        """A new session, under an id that nobody has had."""
        self._make_room(account.name)
        id, now = self._text(_OCTETS), self._now()
        session = self._kept[_digest(id)] = Session(account, self._text(_OCTETS), now, now)
        return id, session

    def find(self, id: str) -> Session | None:
        """The session of this id, which is thereby used; None when there is none any more."""
        name = _digest(id)
        session = self._kept.get(name)
        if session is None or not self._lasts(session):
            self._kept.pop(name, None)
            return None
        session.used = self._now()
        self._kept.move_to_end(name)
        return session

    def end(self, id: str) -> None:
        """Nobody is logged in by this id any more."""
        self._kept.pop(_digest(id), None)

    def _lasts(self, session: Session) -> bool:
        now = self._now()
        return now - session.used < self._idle and now - session.began < self._lifetime

    def _make_room(self, name: str) -> None:
        for over in [id for id, session in self._kept.items() if not self._lasts(session)]:
            del self._kept[over]
        own = [id for id, session in self._kept.items() if session.account.name == name]
        for over in own[: max(0, len(own) - self._each + 1)]:
            del self._kept[over]
        while len(self._kept) >= self._limit:
            self._kept.popitem(last=False)


def _digest(id: str) -> bytes:
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()
