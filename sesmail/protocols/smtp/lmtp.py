"""What is special about a session of a mail server that delivers by LMTP (RFC 2033): nobody logs in, and each recipient has an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import cast

from sesmail.interfaces import Letter, Parcel, Reception
from sesmail.mail.address import any_path
from sesmail.mail.outcome import Outcome
from sesmail.protocols.smtp.parameters import QUEUE_ID
from sesmail.protocols.smtp.replies import reply
from sesmail.protocols.smtp.server import Listener, SMTPSession, State

logger = logging.getLogger(__name__)

# For a while only: the mail is good, it is our configuration or the network that is not.
_STRANGER = reply("421 4.7.1", "this host may not deliver here")


class Neighbours:
    """Who may deliver: peers on this host, by a UNIX socket (its mode says who) or a loopback address, and those of these networks."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ip_network(text, strict=False) for text in networks]

    def __contains__(self, peer: str) -> bool:
        if peer == "unix":
            return True
        address = ip_address(peer)
        return address.is_loopback or any(address in network for network in self._networks)


@dataclass(frozen=True, kw_only=True)
class LMTPListener(Listener):
    """What all sessions of one LMTP listener share."""

    reception: Reception
    neighbours: Neighbours


class LMTPSession(SMTPSession):
    """A connection of a mail server that delivers."""

    listener: LMTPListener
    speaks = "LMTP"
    hello = "LHLO"
    # RFC 2033 section 4.2: no answer to the final dot would be anybody's.
    nobody = "503 5.5.1"
    repeats = True
    about = "this is a mail store, see RFC 2033"
    greeted = State.READY

    def __init__(self, listener: LMTPListener) -> None:
        super().__init__(listener, "lmtp")

    @property
    def taker(self) -> Reception:
        """See SMTPSession."""
        return self.listener.reception

    @property
    def patience(self) -> float:
        """See SMTPSession."""
        return self.policy.command_timeout

    @property
    def way(self) -> str:
        """See SMTPSession."""
        return "LMTPS" if self.secure else "LMTP"

    @property
    def ours(self) -> bool:
        """See SMTPSession: by a UNIX socket, where whoever may connect may deliver anything anyway."""
        return self.peer == "unix"

    @property
    def answers(self) -> int:
        """See SMTPSession."""
        return len(self.recipients)

    async def live(self) -> None:
        """As other sessions, but not for everybody."""
        if self.peer in self.listener.neighbours:
            await super().live()
        else:
            logger.warning("%s may not deliver by LMTP; lmtp.clients would have to name it", self.peer)
            await self.push(_STRANGER)

    def sender_of(self, argument: bytes) -> tuple[str, bytes]:
        """Mail of any sender must come in; what is no address here cannot be answered, and is as good as the null sender."""
        return any_path(argument)

    def security(self) -> Iterator[str]:
        """See SMTPSession."""
        if not self.secure and self.listener.starttls is not None:
            yield "STARTTLS"
        if self.ours:
            yield QUEUE_ID

    async def finish(self, letter: Letter | Parcel) -> Sequence[Outcome]:
        """See SMTPSession. Who was named twice has two answers, in the order of the RCPT commands."""
        outcomes = await cast(Parcel, letter).finish()
        return [outcomes[recipient] for recipient in self.recipients]
