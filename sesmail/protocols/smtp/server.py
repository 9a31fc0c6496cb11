"""One session of SMTP or LMTP (RFC 5321, RFC 2033): its states, what may be said in each, and its end.

Nothing of `twisted.mail.smtp.ESMTP` is left to inherit: its command loop, DATA, parameters, replies and timers all have to be
replaced, and addresses are parsed by `sesmail.mail.address`.
"""

from __future__ import annotations

import abc
import enum
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from sesmail.errors import MailError, Malformed, Refused
from sesmail.interfaces import Letter, Parcel, Reception, Submission
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.protocols import session
from sesmail.protocols.failures import known
from sesmail.protocols.inlet import LineTooLong
from sesmail.protocols.lineserver import Gone
from sesmail.protocols.smtp.policy import MailPolicy
from sesmail.protocols.smtp.reading import Reading
from sesmail.protocols.smtp.replies import COMMAND, MESSAGE, Codes, answer, code_of, refusal, reply

# RFC 5321 section 4.5.3.1.4, line end included.
COMMAND_LINE = 512
# RFC 1870 section 3, RFC 6152 section 2 and RFC 4954 section 3 add so much for their parameters.
MAIL_LINE = COMMAND_LINE + 26 + 17 + 500
# RFC 4954 section 3.
LOGIN_LINE = 12 * 1024

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_NOT_A_COMMAND = re.compile(rb"[^ -~]")
# Commands that are no commands, or came when they must not.
_MISUSE = ("50", "53")

_EARLY = reply("554 5.5.1", "wait for the greeting")
_TOO_LONG = reply("500 5.5.2", "line too long")
_TOO_MANY = reply("421 4.7.0", "too many commands without a message, closing")
_OUT_OF_TIME = reply("421 4.4.2", "timeout, closing")
_STOPPING = reply("421 4.3.2", "service is stopping, try again later")


class TooMany(Exception):
    """The client has said enough that leads to no message."""


class State(enum.StrEnum):
    """How far a session is. GREETED is before the login, where there is one; MAIL and RECIPIENTS are within a mail transaction."""

    START = "START"
    GREETED = "GREETED"
    READY = "READY"
    MAIL = "MAIL"
    RECIPIENTS = "RECIPIENTS"
    ENDED = "ENDED"


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A command: what runs it, where it is legal.

    `order`: what a client hears who says it elsewhere. `argument`: whether it has one. `pointless`: it brings no message nearer.
    `address`: its argument may hold octets that are not ASCII. `limit`: octets its line may have.
    """

    run: Callable[[Any, bytes], Awaitable[None]]
    states: frozenset[State]
    order: str = ""
    argument: Literal["none", "any", "one"] = "any"
    pointless: bool = False
    address: bool = False
    limit: int = COMMAND_LINE

    def check(self, line: bytes, argument: bytes) -> None:
        """Raises Malformed for a line that cannot be this command."""
        if (_CONTROL if self.address else _NOT_A_COMMAND).search(line):
            raise Malformed("a command is printable ASCII", smtp="501 5.5.2")
        if self.argument == "none" and argument:
            raise Malformed("no argument allowed")
        if self.argument == "one" and not argument:
            raise Malformed("an argument is missing")


@dataclass(frozen=True, kw_only=True)
class Listener(session.Listener):
    """What all sessions of one SMTP listener share."""

    policy: MailPolicy
    verbs: Mapping[bytes, Verb]
    reading: Reading = field(default_factory=Reading)


class SMTPSession(session.Session, abc.ABC):
    """A connection of a program that has mail for us."""

    listener: Listener
    policy: MailPolicy
    speaks: ClassVar[str]
    """The protocol's name in the greeting."""
    hello: ClassVar[str]
    """The command that comes first."""
    nobody: ClassVar[str]
    """The answer to DATA when all recipients were refused."""
    repeats: ClassVar[bool]
    """Whether a recipient who is named again has an answer of his own to the final dot."""
    about: ClassVar[str]
    """The answer to HELP."""

    def __init__(self, listener: Listener, protocol: str) -> None:
        super().__init__(listener, protocol)
        self.state: State = State.START
        self.helo = ""
        """What the client calls itself."""
        self.extended = False
        """True when the client has heard of our extensions."""
        self.tls: str | None = None
        """Version and cipher, once they were asked for."""
        self.sender = ""
        self.queue_id: str | None = None
        """See Hop."""
        self.recipients: list[str] = []
        self.refused = 0
        """Recipients of this transaction that were refused."""
        self.receiving = False
        """True from 354 to the answer to the final dot."""
        self._errors = 0
        self._pointless = 0

    @property
    @abc.abstractmethod
    def taker(self) -> Submission | Reception:
        """Who takes the mail. Raises Refused where nobody does."""

    @property
    def ours(self) -> bool:
        """Whether the client may be a program of ours."""
        return False

    @property
    @abc.abstractmethod
    def greeted(self) -> State:
        """Where a session is that knows its client and has no transaction open."""

    @property
    @abc.abstractmethod
    def patience(self) -> float:
        """Seconds that the client has for its next line."""

    @property
    @abc.abstractmethod
    def way(self) -> str:
        """How the mail comes in, a name of RFC 3848."""

    @abc.abstractmethod
    def sender_of(self, argument: bytes) -> tuple[str, bytes]:
        """What follows ``MAIL FROM:`` as an address, and the parameters. Raises Malformed."""

    @abc.abstractmethod
    def security(self) -> Iterator[str]:
        """The extensions that are offered or not, as the session is secure or not, one a line."""

    @abc.abstractmethod
    async def finish(self, letter: Letter | Parcel) -> Sequence[Outcome]:
        """All of the message has come. Returns the answers to its final dot. Raises a MailError when it has no other answer."""

    @property
    @abc.abstractmethod
    def answers(self) -> int:
        """How many answers the final dot has."""

    def connectionMade(self) -> None:
        """Begin, unless there are too many connections."""
        self.listener.reading.little(self.transport)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end."""
        self.listener.reading.end(self.transport)
        super().connectionLost(reason)

    def reset(self) -> None:
        """No transaction is open any more."""
        self.sender, self.queue_id, self.recipients, self.refused = "", None, [], 0
        self.state = self.greeted

    def forget(self) -> None:
        """TLS has begun: what was said before it may have been said by anybody (RFC 3207 section 4.2)."""
        self.reset()
        self.state, self.helo, self.extended, self.tls = State.START, "", False, None

    async def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Say what became of a message. Raises TooMany as `complain` does."""
        if any(outcome.verdict is Verdict.ACCEPTED for outcome in outcomes):
            self.begin_anew()
        else:
            self._count(misuse=False)
        await self.push(*map(answer, outcomes))

    async def complain(self, error: MailError, codes: Codes = COMMAND, *, times: int = 1) -> None:
        """Answer with a failure; one that says 421 is the last. Raises TooMany when there were enough of them."""
        code = code_of(error, codes)
        self._count(misuse=code.startswith(_MISUSE))
        if code.startswith("421"):
            self.state = State.ENDED
        await self.push(refusal(error, codes) * times)

    async def return_message(self, error: MailError) -> None:
        """Answer the final dot of a message that failed as a whole. Raises TooMany as `complain` does."""
        await self.complain(error, MESSAGE, times=self.answers)

    def begin_anew(self) -> None:
        """The client has come to something: what led to nothing before does not count any more."""
        self._errors = self._pointless = 0

    def drain(self) -> None:
        """End the session as soon as no command runs; a message that is coming in may come to its end."""
        self.draining = True
        if self.idle and not self.receiving:
            self.hang_up(_STOPPING)

    def out_of_time(self) -> None:
        """Say so and close (RFC 5321 section 3.8)."""
        self.hang_up(_OUT_OF_TIME)

    async def live(self) -> None:
        """Greet, then obey until the end."""
        try:
            await self._greet()
            while self.state is not State.ENDED and not self.draining:
                await self._obey(await self.read_line(LOGIN_LINE, self.patience))
            if self.state is not State.ENDED:
                await self.push(_STOPPING)
        except LineTooLong:
            await self.push(_TOO_LONG)
        except TooMany:
            await self.push(_TOO_MANY)

    async def _greet(self) -> None:
        # In any case a turn of the reactor, in which what came with the connection is read.
        await self.sleep(self.policy.greeting_delay)
        if self.unread:
            # RFC 5321 section 4.3.1. Whoever does not listen may be a web page's form that was sent to this port.
            self.state = State.ENDED
            await self.push(_EARLY)
        else:
            await self.push(reply("220", f"{self.policy.hostname} {self.speaks}"))

    async def _obey(self, line: bytes) -> None:
        name, _, rest = line.partition(b" ")
        argument = rest.strip(b" ")
        verb = self.listener.verbs.get(name.upper(), _UNKNOWN)
        if len(line) + 2 > verb.limit:
            raise LineTooLong
        try:
            self._check_order(verb)
            verb.check(line, argument)
            if verb.pointless:
                self._count(misuse=False)
            await verb.run(self, argument)
        except (Gone, LineTooLong, TooMany):
            raise
        except Exception as error:
            await self.complain(known(error))

    def _check_order(self, verb: Verb) -> None:
        if self.state in verb.states:
            return
        if self.state is State.START:
            raise Refused(f"say {self.hello} first", smtp="503 5.5.1")
        if self.state is State.GREETED:
            # RFC 3207 section 4, RFC 4954 section 6.
            raise Refused("log in first" if self.secure else "say STARTTLS first", smtp="530 5.7.0")
        raise Refused(verb.order, smtp="503 5.5.1")

    def _count(self, *, misuse: bool) -> None:
        if misuse:
            self._errors += 1
        else:
            self._pointless += 1
        if self._errors > self.policy.errors or self._pointless > self.policy.pointless:
            raise TooMany


async def _unknown(session: SMTPSession, argument: bytes) -> None:
    raise Malformed("unknown command", smtp="500 5.5.1")


_UNKNOWN = Verb(run=_unknown, states=frozenset(State))
