"""From the notice of a message to the message in the mailboxes of all its recipients, whatever fails on the way."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TypeAlias

from sesmail.aws.receipt import Notice
from sesmail.delivery.agent import Agent
from sesmail.delivery.counts import Counts
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.routing import Routing
from sesmail.interfaces import StorePlace
from sesmail.storage.store import Store

Agents: TypeAlias = Mapping[type, Agent]
"""Who delivers to each kind of destination (Mailbox, Lmtp, ...). Mail for a kind that is missing is held."""

StoreOf: TypeAlias = Callable[[StorePlace], Store]
"""The store of a place: the same object at every call, and for the inbox's place the inbox's own. Raises Unavailable."""


class Sorted(enum.Enum):
    """What became of a message.

    DONE: everybody has it, and the original is gone. HELD: everybody but those it is held for. SWEPT: those have it who were guessed, and it
    waits for its notice. GONE: it was done before. IGNORED: it is nothing that came in.
    """

    DONE = "done"
    HELD = "held"
    SWEPT = "swept"
    GONE = "gone"
    IGNORED = "ignored"


class Sorter:
    """Plain blocking code. May be asked about several messages at a time.

    `delete` removes a key of the inbox's store, durably on return, and raises Unavailable; it may serve several threads in one request.
    """

    def __init__(
        self,
        inbox: Inbox,
        routing: Routing,
        agents: Agents,
        store_of: StoreOf,
        *,
        delete: Callable[[str], None] | None = None,
        counts: Counts | None = None,
    ) -> None:
        self._inbox = inbox
        self.counts = counts or Counts()

    def sort(self, notice: Notice, *, again: bool = False) -> Sorted:
        """Bring the message to everybody it is for; durable on return. `again`: it may have been tried before, as far as the caller knows.

        Raises Unavailable, Limited and Busy (another thread has this message at the moment) when it must come again, and Malformed for
        a notice of another bucket, or of a key where nothing comes in.
        """
        raise NotImplementedError

    def retry(self, id: str, *, anyway: bool = False) -> Sorted:
        """Route the recipients for whom the message is held once more; `anyway`: whatever SES found in it. Raises NoSuchMessage where none
        is held, Malformed for what is no id and for a record that cannot be read, and as `sort` does."""
        raise NotImplementedError
