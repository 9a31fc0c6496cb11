"""Mail that comes in by ourselves, not by SES: what people here send to people here, reports, and what another mail server hands over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from sesmail.delivery.inbox import Inbox
from sesmail.delivery.plan import Destination
from sesmail.delivery.routing import Routing
from sesmail.delivery.sorter import Agents, StoreOf
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome


def refusal(destination: Destination) -> Outcome | None:
    """What can be said against a recipient who leads there, before there is a message; None where he may have it."""
    raise NotImplementedError


class Local:
    """Plain blocking code. May be asked about several messages at a time."""

    def __init__(self, inbox: Inbox, routing: Routing, agents: Agents, store_of: StoreOf, *, now: Callable[[], float]) -> None:
        self._inbox = inbox

    def deliver(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See interfaces.Deliver. `message` is seekable and is read from where it stands, not into memory.

        Who is not known, denied or inactive is refused. Who is to be held is accepted, and the message held for him. Never raises.
        """
        raise NotImplementedError
