"""A delivery agent: brings a message to destinations of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from sesmail.delivery.message import Message
from sesmail.delivery.plan import Step
from sesmail.mail.outcome import Outcome


class Agent(Protocol):
    """Plain blocking code, called from several threads at a time, each with another message."""

    def deliver(self, steps: Sequence[Step], message: Message) -> Mapping[str, Outcome]:
        """Try once to carry out all `steps`, whose destinations are of this agent's kind.

        Returns an outcome for each step's name, whatever happened to the others. ACCEPTED is durable. Trouble, also trouble of our own
        configuration, is a LATER. Raises NoSuchMessage when the message is gone from where it was. Each wait is bounded.
        """


Agents: TypeAlias = Mapping[type, Agent]
"""Who delivers to each kind of destination (Mailbox, Lmtp, ...). Mail for a kind that is missing is held."""
