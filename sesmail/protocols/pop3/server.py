"""One POP3 session: its states, what may be said in each, and its end."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.mail import pop3

from sesmail.errors import MailError, Malformed, Refused
from sesmail.protocols import session
from sesmail.protocols.failures import known
from sesmail.protocols.inlet import LineTooLong
from sesmail.protocols.lineserver import Gone
from sesmail.protocols.pop3.mailbox import PopMailbox
from sesmail.protocols.pop3.policy import Policy
from sesmail.protocols.pop3.replies import ok, refusal
from sesmail.protocols.sasl import challenge

# RFC 2449 section 4, line end included.
COMMAND_LINE = 255
# Tokens come as passwords and in SASL responses.
LOGIN_LINE = 16 * 1024


class State(enum.StrEnum):
    """RFC 1939 section 3; UPDATE and what follows it is ENDED, since no verb is legal there."""

    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"
    ENDED = "ENDED"


@dataclass(frozen=True)
class Verb:
    """A command: what runs it, where it is legal, how many arguments it takes.

    `text`: the one argument is all that follows the first space, as it is. `limit`: octets its line may have.
    """

    run: Callable[..., Awaitable[None]]
    states: frozenset[State]
    least: int = 0
    most: int = 0
    text: bool = False
    limit: int = COMMAND_LINE

    def arguments(self, rest: bytes) -> list[bytes]:
        """What follows the verb, divided. Raises Malformed when that is too little or too much."""
        words = [rest] if self.text and rest else rest.split()
        if not self.least <= len(words) <= self.most:
            raise Malformed("wrong number of arguments")
        return words


@dataclass(frozen=True, kw_only=True)
class Listener(session.LoginListener):
    """What all sessions of one POP3 listener share."""

    policy: Policy
    verbs: Mapping[bytes, Verb]


class POP3Session(session.LoginSession, pop3.POP3):
    """A POP3 server connection."""

    factory: Any
    listener: Listener
    policy: Policy

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener, "pop3")
        self.state: State = State.AUTHORIZATION
        self.mbox: PopMailbox | None = None

    @property
    def mailbox(self) -> PopMailbox:
        """The maildrop; only asked for in states in which there is one."""
        if self.mbox is None:
            raise Refused("log in first")
        return self.mbox

    def has_marks(self) -> bool:
        """True when a message is marked as deleted."""
        return self.mbox is not None and bool(self.mbox.marks)

    def enter(self, mailbox: PopMailbox) -> None:
        """The login was good."""
        self.mbox = mailbox
        self.state = State.TRANSACTION

    async def live(self) -> None:
        """Greet, then obey until the end. Nothing is deleted but by QUIT."""
        try:
            await self.push(ok(b"POP3 ready"))
            while self.state is not State.ENDED and not self.draining:
                await self._obey(await self.read_line(LOGIN_LINE, self.patience()))
        except LineTooLong:
            await self.push(refusal(Malformed("line too long")))

    def patience(self) -> float:
        """Seconds that the client has for its next line."""
        return self.policy.autologout if self.state is State.TRANSACTION else self.left_to_log_in()

    async def challenge(self, text: bytes) -> bytes:
        """Ask as RFC 5034 section 4 has it."""
        await self.push(b"+ ", challenge(text), b"\r\n")
        return await self.read_line(LOGIN_LINE, self.patience())

    async def refuse(self, error: MailError) -> None:
        """Answer with a refused login."""
        await self.push(refusal(error))

    async def struck_out(self) -> None:
        """End after this."""
        self.state = State.ENDED

    async def _obey(self, line: bytes) -> None:
        name, _, rest = line.partition(b" ")
        verb = self.listener.verbs.get(name.upper(), _UNKNOWN)
        if len(line) + 2 > verb.limit:
            raise LineTooLong
        try:
            if self.state not in verb.states:
                raise Refused(_WRONG_STATE[self.state])
            await verb.run(self, *verb.arguments(rest))
        except (Gone, LineTooLong):
            raise
        except Exception as error:
            await self.push(refusal(known(error)))


async def _unknown(session: POP3Session, *arguments: bytes) -> None:
    raise Malformed("unknown command")


_WRONG_STATE = {State.AUTHORIZATION: "log in first", State.TRANSACTION: "only before login"}
_UNKNOWN = Verb(_unknown, frozenset(State), most=COMMAND_LINE)
