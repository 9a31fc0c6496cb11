"""Messages that are kept for the administrator: for whom, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sesmail.aws.receipt import UNCHECKED, Verdicts
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.plan import Reason


@dataclass(frozen=True)
class Why:
    """Why a message is held for one recipient. `text`: what the destination said to it, one line, ``""`` where nobody said anything."""

    reason: Reason
    text: str = ""


@dataclass(frozen=True)
class HeldRecord:
    """What is known of a held message. `recipients` may be empty, where nobody knows for whom it is; what could not be read as an
    address stands in `unreadable`. See Arrival for the rest."""

    sender: str
    received: float
    recipients: Mapping[str, Why]
    unreadable: tuple[str, ...] = ()
    verdicts: Verdicts = UNCHECKED
    guessed: bool = False


@dataclass(frozen=True)
class HeldEntry:
    """One held message. `since` is in seconds since 1970. `record` is None when it is missing or cannot be read; `trouble` says so."""

    id: str
    since: float
    size: int
    record: HeldRecord | None
    trouble: str = ""


class Held:
    """The held messages of an inbox. Thread-safe, as its store is."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def entries(self) -> Iterator[HeldEntry]:
        """All of them, by id. Raises Unavailable."""
        raise NotImplementedError

    def entry(self, id: str) -> HeldEntry:
        """Raises NoSuchMessage, Malformed for what is no id, Unavailable."""
        raise NotImplementedError

    def head(self, id: str, limit: int) -> bytes:
        """The first octets of the message, at most `limit`. Raises as `entry` does."""
        raise NotImplementedError

    def drop(self, id: str) -> None:
        """Remove it for good: nobody it is held for gets it. Raises as `entry` does."""
        raise NotImplementedError
