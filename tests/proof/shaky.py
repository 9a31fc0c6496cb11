"""A mail store in memory that is slow and fails at random, and the gateway's own rooms over it."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.mail import pop3
from zope.interface import implementer

from sesmail.auth.realm import Realm
from sesmail.credentials import IBearerToken
from sesmail.errors import BadLogin, NoSuchMessage, Unavailable
from sesmail.interfaces import Account, Body, Client, Maildrop, Place, StorePlace
from sesmail.protocols.pop3.mailbox import PopMailbox
from sesmail.storage.body import MemoryBody
from sesmail.storage.lock import ProcessLock
from sesmail.storage.maildrop import Maildrops
from sesmail.storage.read.ahead import Window
from sesmail.storage.read.budget import Budget
from sesmail.storage.store import Loaded, Page, Unchanged

USERS = range(5)
STORE = StorePlace("s3://in-memory")
BIG = 300_000
_DELAYS = (0.0, 0.0, 0.0, 0.01, 0.01, 0.3, 0.3, 5.0, 45.0)


def name(user: int) -> bytes:
    return b"user%d@example.com" % user


def password(user: int) -> bytes:
    return b"the-password-of-%b" % marker(user)


@cache
def marker(user: int) -> bytes:
    """What is in every message of this user and nowhere else."""
    return hashlib.sha256(b"marker %d" % user).hexdigest()[:20].encode()


@cache
def mails(user: int) -> dict[str, bytes]:
    """The user's messages by key."""
    head = b"Subject: " + marker(user) + b"-%d\r\n"
    bodies = [
        b"\r\nbody\r\n",
        b"\n.\n..\n.dots\nlf alone\n",
        b"\r\n\r\r\n.\r\nno end",
        b"",
        b"\r\n",
        b"\r\n\0\xff\x80\r\n.\r\n",
    ]
    bodies.append(b"\r\n" + (b"." + marker(user) + b"\r\n") * (BIG // 23))
    found = [head % number + body for number, body in enumerate(bodies)]
    return {f"mail/{user}/{number:040}": mail for number, mail in enumerate(found)}


@cache
def on_the_wire(user: int) -> dict[bytes, frozenset[int]]:
    """The user's messages as RFC 1939 section 3 sends them, the final dot left out, and their octets: as stored and with CRLF."""
    forms = {mail: _crlf(mail) for mail in mails(user).values()}
    return {re.sub(rb"(?m)^\.", b"..", crlf): frozenset((len(mail), len(crlf))) for mail, crlf in forms.items()}


def _crlf(mail: bytes) -> bytes:
    crlf = re.sub(rb"(?<!\r)\n", b"\r\n", mail)
    return crlf if crlf.endswith(b"\n") else crlf + b"\r\n"


class ShakyBody:
    """A message in pieces, each with its own delay, or its own trouble."""

    whole = False

    def __init__(self, store: ShakyStore, data: bytes) -> None:
        self.size = len(data)
        self._store = store
        step = max(1, store.chance.randint(1, len(data)))
        self._pieces = [data[start : start + step] for start in range(0, len(data), step)]
        self.closed = False

    async def read(self) -> bytes:
        await self._store.way()
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        self.closed = True


class ShakyStore:
    """A Reader, and the way to remove. `trouble`: how likely a request fails."""

    def __init__(self, chance: random.Random, clock: Clock, trouble: float) -> None:
        self.chance = chance
        self.objects = {key: mail for user in USERS for key, mail in mails(user).items()}
        self.bodies: list[ShakyBody] = []
        self._clock = clock
        self._trouble = trouble

    async def way(self) -> None:
        """To the store and back."""
        luck = self.chance.random()
        if luck < 0.3:
            await deferLater(self._clock, self.chance.choice(_DELAYS))
        if luck > 1 - self._trouble:
            raise Unavailable(cause="the fuzz wants it so")

    async def list(self, prefix: str, *, nested: bool, page: Page) -> None:
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        cut = self.chance.randint(0, len(keys))
        for part in (keys[:cut], keys[cut:]):
            await self.way()
            page([_row(key, self.objects[key]) for key in part if key in self.objects])

    async def folders(self, prefix: str) -> Sequence[str]:
        return ()

    async def open(self, key: str, *, size: int, head: bool = False) -> Body:
        await self.way()
        data = self.objects.get(key)
        if data is None:
            raise NoSuchMessage
        if self.chance.random() < 0.5:
            return MemoryBody(data)
        body = ShakyBody(self, data)
        self.bodies.append(body)
        return body

    async def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        raise NoSuchMessage

    async def remove(self, keys: Sequence[str]) -> dict[str, str]:
        await self.way()
        stuck = {key for key in keys if self.chance.random() < self._trouble / 2}
        for key in keys:
            if key not in stuck:
                self.objects.pop(key, None)
        return dict.fromkeys(stuck, "stuck")


@cache
def _row(key: str, mail: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    return key.encode(), b"2026-11-21T09:30:00.000Z", hashlib.md5(mail).hexdigest().encode(), b"%d" % len(mail)


class Watched:
    """A maildrop that notes what its session removed, by key."""

    def __init__(self, maildrop: Maildrop, user: int) -> None:
        self._maildrop = maildrop
        self.user = user
        self.asked: list[int] = []
        self.listed = [maildrop.uidl(index) for index in range(len(maildrop))]

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._maildrop, attribute)

    def __len__(self) -> int:
        return len(self._maildrop)

    async def remove(self, indexes: Sequence[int]) -> Sequence[int]:
        self.asked += indexes
        return await self._maildrop.remove(indexes)


@implementer(ICredentialsChecker)
class ShakyChecker:
    """Knows the users by name and password, which is their token too, after some time, if at all."""

    credentialInterfaces = (IUsernamePassword, IBearerToken)

    def __init__(self, store: ShakyStore) -> None:
        self._store = store

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        secret = credentials.token if IBearerToken.providedBy(credentials) else credentials.password
        return Deferred.fromCoroutine(self._ask(credentials.username, secret))

    async def _ask(self, given: bytes, secret: bytes) -> Account:
        await self._store.way()
        for user in USERS:
            if (given, secret) == (name(user), password(user)):
                return Account(name(user).decode(), None, Place(STORE, f"mail/{user}/"))
        raise BadLogin


class ShakyPost:
    """Everything behind the portal. `opened` has the maildrop of each session that ever had one."""

    def __init__(self, chance: random.Random, clock: Clock, trouble: float) -> None:
        self.store = ShakyStore(chance, clock, trouble)
        self.lock = ProcessLock(30)
        self.budget = Budget(100_000, 600_000, 8, clock)
        self.opened: dict[Client, Watched] = {}
        self.logouts = 0
        self._maildrops = Maildrops(
            lambda _: self.store,
            lambda _: self.store.remove,
            self.lock,
            window=partial(Window, self.budget),
            pause=lambda: deferLater(clock, 0),
            now=lambda: 1_795_258_800 + clock.seconds(),
        )
        self.portal = Portal(Realm({pop3.IMailbox: self._open}), [ShakyChecker(self.store)])

    async def _open(self, account: Account, client: Client) -> tuple[PopMailbox, Any]:
        maildrop = await self._maildrops.open(account.place, client)
        watched = self.opened[client] = Watched(maildrop, int(account.name[4]))

        async def log_out() -> None:
            self.logouts += 1
            await maildrop.close()

        return PopMailbox(watched), log_out
