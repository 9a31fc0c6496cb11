"""A message on its way in: what is known of it, and where its octets are, for whoever delivers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from sesmail.aws.receipt import UNCHECKED, Verdicts
from sesmail.interfaces import Place


@dataclass(frozen=True)
class Arrival:
    """What is known of one message.

    `id` is the same at every try, safe as part of a key, as a file's name and as a UIDL. `sender` and `recipients` are the envelope's, in the
    form that `mail.address` gives, `sender` ``""`` for the null sender. `received` is in seconds since 1970. `unreadable`: recipients
    that are no address here; the message must be held for them. `guessed`: the recipients may be wrong, or not all.
    """

    id: str
    sender: str
    recipients: tuple[str, ...]
    received: float
    verdicts: Verdicts = UNCHECKED
    unreadable: tuple[str, ...] = ()
    guessed: bool = False


class Message(Protocol):
    """The octets of one message. Used by one thread at a time."""

    @property
    def arrival(self) -> Arrival:
        """What is known of it."""

    def open(self) -> BinaryIO:
        """The message as it came, seekable, at its first octet; the caller closes it. Fetched once, however often it is opened.
        Raises NoSuchMessage, Unavailable."""

    def fields(self, recipients: Sequence[str]) -> bytes:
        """What final delivery to these recipients puts before it: nothing where SES did that already."""

    def put_into(self, place: Place, folder: str, recipients: Sequence[str]) -> bool:
        """Into a mailbox, or a folder of it, under the message's own id; durable on return. False when it is there already: it is
        not written again, for that would move its date. Raises NoSuchMessage, NoSuchMailbox, TooLarge, Limited, Unavailable."""
