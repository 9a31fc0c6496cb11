"""What carries a message to its next hop. One attempt, one outcome for each recipient; when to try again is the queue's affair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, Protocol

from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome


class Courier(Protocol):
    """Plain blocking code, called from several threads at a time, each with another message."""

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """Try once to carry `message` (seekable, at its first octet, CRLF line ends) to every recipient of the envelope.

        Returns an outcome for each recipient, whatever happened: trouble with the network, the next hop or our own credentials is a
        LATER. Where it cannot be known whether the next hop took the message, that is a LATER too: a duplicate is better than a
        loss. Each wait in it is bounded.
        """
