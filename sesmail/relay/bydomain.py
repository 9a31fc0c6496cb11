"""Mail for people who live here stays here, without a way round by anybody's mail servers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import BinaryIO

from sesmail.interfaces import Deliver
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.courier import Courier


class ByDomain:
    """A courier that hands recipients of these domains (lower case) to one and all others to another, each with the message from its
    beginning."""

    def __init__(self, domains: Collection[str], local: Deliver, other: Courier) -> None:
        self._domains = frozenset(domains)
        self._local = local
        self._other = other

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See Courier."""
        start = message.tell()
        here = tuple(address for address in envelope.recipients if self.is_local(address))
        elsewhere = tuple(address for address in envelope.recipients if not self.is_local(address))
        outcomes: dict[str, Outcome] = {}
        for recipients, send in ((here, self._local), (elsewhere, self._other.send)):
            if recipients:
                message.seek(start)
                outcomes |= send(_to(envelope, recipients), message)
        return outcomes

    def is_local(self, address: str) -> bool:
        """Whether mail for it stays here."""
        return address.rpartition("@")[2].lower() in self._domains


def _to(envelope: Envelope, recipients: tuple[str, ...]) -> Envelope:
    return Envelope(envelope.sender, recipients, envelope.returns, envelope.account)
