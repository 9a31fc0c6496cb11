"""What is special about a session of a mail program that submits messages (RFC 6409): somebody has logged in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from sesmail.errors import MailError, Refused
from sesmail.interfaces import Letter, Parcel, Submission
from sesmail.mail.address import path
from sesmail.mail.outcome import Outcome
from sesmail.protocols import session
from sesmail.protocols.sasl import challenge, mechanisms
from sesmail.protocols.smtp.policy import Policy
from sesmail.protocols.smtp.replies import LOGIN, refusal, reply
from sesmail.protocols.smtp.server import LOGIN_LINE, Listener, SMTPSession, State

_STRUCK_OUT = reply("421 4.7.0", "too many refused logins, closing")


@dataclass(frozen=True, kw_only=True)
class SubmissionListener(Listener, session.LoginListener):
    """What all sessions of one submission listener share."""

    policy: Policy


class SubmissionSession(SMTPSession, session.LoginSession):
    """A connection of a mail program that submits messages."""

    listener: SubmissionListener
    policy: Policy
    speaks = "ESMTP"
    hello = "EHLO"
    # RFC 2920 section 3.1: a client that has sent DATA already must not be asked for the message.
    nobody = "554 5.5.1"
    repeats = False
    about = "this is a submission service, see RFC 6409"
    way = "ESMTPSA"
    answers = 1

    def __init__(self, listener: SubmissionListener) -> None:
        super().__init__(listener, "submission")
        self.avatar: Submission | None = None

    @property
    def taker(self) -> Submission:
        """What the account may send; only asked for in states in which there is a login."""
        if self.avatar is None:
            raise Refused("log in first", smtp="530 5.7.0")
        return self.avatar

    @property
    def greeted(self) -> State:
        """See SMTPSession."""
        return State.GREETED if self.avatar is None else State.READY

    @property
    def patience(self) -> float:
        """See SMTPSession."""
        return self.policy.command_timeout if self.avatar is not None else self.left_to_log_in()

    def enter(self, submission: Submission) -> None:
        """The login was good."""
        self.avatar = submission
        self.state = State.READY
        self.begin_anew()

    def sender_of(self, argument: bytes) -> tuple[str, bytes]:
        """See SMTPSession."""
        return path(argument)

    def security(self) -> Iterator[str]:
        """See SMTPSession."""
        if self.secure:
            offered = b" ".join(mechanisms(self.listener.portal)).decode("ascii")
            yield f"AUTH {offered}"
        elif self.listener.starttls is not None:
            yield "STARTTLS"

    async def finish(self, letter: Letter | Parcel) -> Sequence[Outcome]:
        """See SMTPSession."""
        return [await cast(Letter, letter).finish()]

    async def challenge(self, text: bytes) -> bytes:
        """Ask as RFC 4954 section 4 has it."""
        await self.push(b"334 ", challenge(text), b"\r\n")
        return await self.read_line(LOGIN_LINE, self.patience)

    async def refuse(self, error: MailError) -> None:
        """Answer with a refused login."""
        await self.push(refusal(error, LOGIN))

    async def struck_out(self) -> None:
        """End after this, and say so."""
        await self.push(_STRUCK_OUT)
        self.state = State.ENDED
