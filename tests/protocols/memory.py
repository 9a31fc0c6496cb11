"""A maildrop, a login and a listener in memory, for tests of protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.mail import pop3
from zope.interface import Interface, implementer

from sesmail.credentials import IBearerToken
from sesmail.errors import BadLogin, NoSuchMessage
from sesmail.protocols.pop3.mailbox import PopMailbox


@dataclass
class MemoryBody:
    """A message in given pieces; an exception among them is raised where it stands, a Deferred is waited for."""

    pieces: list[bytes | Exception | Deferred[bytes]]
    whole: bool = False
    closed: int = 0

    @property
    def size(self) -> int:
        return sum(len(piece) for piece in self.pieces if isinstance(piece, bytes))

    async def read(self) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece if isinstance(piece, bytes) else await piece

    def close(self) -> None:
        self.closed += 1


@dataclass
class MemoryMaildrop:
    """Messages as stored; `sizes` where LIST says something else than their length."""

    messages: list[bytes]
    sizes: dict[int, int] = field(default_factory=dict)
    piece: int | None = None
    failures: dict[int, Exception] = field(default_factory=dict)
    vanished: set[int] = field(default_factory=set)
    old: tuple[int, ...] = ()
    stuck: set[int] = field(default_factory=set)
    before_remove: Callable[[], Awaitable[object]] | None = None
    bodies: list[MemoryBody] = field(default_factory=list)
    opened: list[tuple[int, bool, frozenset[int]]] = field(default_factory=list)
    learned: dict[int, int] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)
    closed: int = 0

    def __len__(self) -> int:
        return len(self.messages)

    def octets(self, index: int) -> int:
        return self.sizes.get(index, len(self.messages[index]))

    def uidl(self, index: int) -> bytes:
        return b"id%d" % (index + 1)

    async def open(self, index: int, *, head: bool = False, skip: frozenset[int] | set[int] = frozenset()) -> MemoryBody:
        self.opened.append((index, head, frozenset(skip)))
        if index in self.vanished:
            raise NoSuchMessage
        if index in self.failures:
            raise self.failures[index]
        body = self.body(index)
        self.bodies.append(body)
        return body

    def body(self, index: int) -> MemoryBody:
        data = self.messages[index]
        step = self.piece or len(data) or 1
        return MemoryBody([data[start : start + step] for start in range(0, len(data), step)], whole=self.piece is None)

    def learn(self, index: int, octets: int) -> None:
        self.learned[index] = octets

    def expired(self) -> Sequence[int]:
        return self.old

    async def remove(self, indexes: Sequence[int]) -> Sequence[int]:
        if self.before_remove is not None:
            await self.before_remove()
        self.removed += [index for index in indexes if index not in self.stuck]
        return [index for index in indexes if index in self.stuck]

    async def close(self) -> None:
        self.closed += 1


@implementer(ICredentialsChecker)
class MemoryChecker:
    """Knows names and passwords; fails as told; a login waits for `held` where there is one."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, users: dict[bytes, bytes]) -> None:
        self.users = users
        self.failure: Exception | None = None
        self.held: Deferred[None] | None = None
        self.asked: list[tuple[bytes, bytes]] = []

    def requestAvatarId(self, credentials: object) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: object) -> bytes | tuple[()]:
        name = getattr(credentials, "username", b"")
        password = getattr(credentials, "password", getattr(credentials, "token", b""))
        self.asked.append((name, password))
        if self.held is not None:
            await self.held
        if self.failure is not None:
            raise self.failure
        if self.users.get(name) != password:
            raise BadLogin
        return bytes(name)


@implementer(IRealm)
class MemoryRealm:
    """Everybody has the same maildrop."""

    def __init__(self, maildrop: MemoryMaildrop) -> None:
        self.maildrop = maildrop
        self.failure: Exception | None = None
        self.logins = 0
        self.logouts = 0
        self.minds: list[object] = []

    def requestAvatar(self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]) -> Any:
        if self.failure is not None:
            raise self.failure
        self.logins += 1
        self.minds.append(mind)
        return pop3.IMailbox, PopMailbox(self.maildrop), self._log_out

    def _log_out(self) -> Deferred[None]:
        self.logouts += 1
        return Deferred.fromCoroutine(self.maildrop.close())


USERS = {b"joe@example.com": b"secret", b"spaces": b"a b  c", b"bytes": b"\xe4\x00\xff"}


class MemoryPost:
    """A maildrop behind a portal."""

    def __init__(self, *messages: bytes) -> None:
        self.maildrop = MemoryMaildrop(list(messages))
        self.checker = MemoryChecker(dict(USERS))
        self.realm = MemoryRealm(self.maildrop)
        self.portal = Portal(self.realm, [self.checker])

    def take_tokens(self) -> None:
        """Passwords are taken as bearer tokens, too."""
        self.portal.registerChecker(self.checker, IBearerToken)
