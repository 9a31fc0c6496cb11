"""A submission, a login and a listener in memory, for tests of SMTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from sesmail.credentials import IBearerToken
from sesmail.interfaces import Hop
from sesmail.mail.outcome import Outcome
from sesmail.protocols.smtp.avatar import ISubmission
from tests.protocols.memory import USERS, MemoryChecker

ACCEPTED = Outcome(250, "2.0.0", "taken")


@dataclass
class MemoryLetter:
    """A message as it came in, and what became of it."""

    submission: MemorySubmission
    sender: str
    recipients: tuple[str, ...]
    hop: Hop
    pieces: list[bytes] = field(default_factory=list)
    finished: bool = False
    discarded: bool = False

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)

    async def write(self, piece: bytes) -> None:
        assert piece
        assert not self.finished
        assert not self.discarded
        await self.submission.asked("write")
        self.pieces.append(piece)

    async def finish(self) -> Outcome:
        assert not self.discarded
        await self.submission.asked("finish")
        self.finished = True
        return self.submission.outcome

    async def discard(self) -> None:
        if not self.finished:
            self.discarded = True


@dataclass
class MemorySubmission:
    """Takes everything from everybody. What is called `sender`, `recipient`, `begin`, `write` or `finish`, or is one address, fails
    or waits as told."""

    outcome: Outcome = ACCEPTED
    failures: dict[str, Exception] = field(default_factory=dict)
    held: dict[str, Deferred[None]] = field(default_factory=dict)
    letters: list[MemoryLetter] = field(default_factory=list)
    letter: type[MemoryLetter] = MemoryLetter
    forgets: bool = False
    log: list[tuple[object, ...]] = field(default_factory=list)

    async def sender(self, address: str) -> None:
        self.log.append(("sender", address))
        await self.asked("sender", address)

    async def recipient(self, address: str, count: int) -> None:
        self.log.append(("recipient", address, count))
        await self.asked("recipient", address)

    async def begin(self, sender: str, recipients: Sequence[str], hop: Hop) -> MemoryLetter:
        self.log.append(("begin", sender, *recipients))
        await self.asked("begin")
        letter = self.letter(self, sender, tuple(recipients), hop)
        if not self.forgets:
            self.letters.append(letter)
        return letter

    async def asked(self, *names: str) -> None:
        for name in names:
            if name in self.held:
                await self.held[name]
            if name in self.failures:
                raise self.failures[name]

    @property
    def accepted(self) -> list[MemoryLetter]:
        return [letter for letter in self.letters if letter.finished and letter.submission.outcome.code == 250]


@implementer(IRealm)
class SubmissionRealm:
    """Everybody may send the same."""

    def __init__(self, submission: MemorySubmission) -> None:
        self.submission = submission
        self.failure: Exception | None = None
        self.logins = 0
        self.logouts = 0
        self.minds: list[Any] = []

    def requestAvatar(self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]) -> Any:
        assert interfaces == (ISubmission,)
        if self.failure is not None:
            raise self.failure
        self.logins += 1
        self.minds.append(mind)
        return ISubmission, self.submission, self._log_out

    def _log_out(self) -> None:
        self.logouts += 1


class SubmissionPost:
    """A submission behind a portal."""

    def __init__(self) -> None:
        self.submission = MemorySubmission()
        self.checker = MemoryChecker(dict(USERS))
        self.realm = SubmissionRealm(self.submission)
        self.portal = Portal(self.realm, [self.checker])

    def take_tokens(self) -> None:
        """Passwords are taken as bearer tokens, too."""
        self.portal.registerChecker(self.checker, IBearerToken)
