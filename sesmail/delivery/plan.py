"""Where a message goes: destinations as one family of frozen values, and the plan that names all of them for one message."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from sesmail.interfaces import Place


class Reason(enum.Enum):
    """Why a message is held, dropped or bounced; the value is what logs and stored metadata have, and never changes."""

    UNKNOWN = "unknown-recipient"
    BAD_TARGET = "bad-target"
    INACTIVE = "inactive"
    IGNORED = "ignored"
    DENIED = "denied"
    RULE = "rule"
    SPAM = "spam"
    VIRUS = "virus"
    DMARC = "dmarc"
    NOT_AUTHENTICATED = "not-authenticated"
    UNREADABLE = "unreadable-recipient"
    NOBODY = "no-recipient"
    REFUSED = "refused"


@dataclass(frozen=True)
class Mailbox:
    """A mailbox in a store. `folder`: one of its folders, such as ``Junk``; ``""`` for the mailbox itself."""

    place: Place
    folder: str = ""

    @property
    def name(self) -> str:
        store = self.place.store
        return _name("mailbox", store.url, store.endpoint or "", self.place.prefix, self.folder)


@dataclass(frozen=True)
class Lmtp:
    """A user of the LMTP server, as that server is told of him."""

    user: str

    @property
    def name(self) -> str:
        return _name("lmtp", self.user)


@dataclass(frozen=True)
class Maildir:
    """A folder in the Maildir format, absolute."""

    path: str

    @property
    def name(self) -> str:
        return _name("maildir", self.path)


@dataclass(frozen=True)
class Pipe:
    """A command that is given the message, once for each recipient. It may have a password in it: never log it."""

    command: str

    @property
    def name(self) -> str:
        return _name("pipe", self.command)


@dataclass(frozen=True)
class Forward:
    """An address elsewhere."""

    address: str

    @property
    def name(self) -> str:
        return _name("forward", self.address)


@dataclass(frozen=True)
class Drop:
    """Nothing is delivered, by a rule that the log names."""

    reason: Reason = Reason.RULE

    @property
    def name(self) -> str:
        return _name("drop", self.reason.value)


@dataclass(frozen=True)
class Bounce:
    """The sender is told that nobody of that name is here. Only `route` may put it into a plan: it knows whether the sender is real."""

    reason: Reason = Reason.RULE

    @property
    def name(self) -> str:
        return _name("bounce", self.reason.value)


@dataclass(frozen=True)
class Hold:
    """The message is kept for the administrator."""

    reason: Reason = Reason.RULE

    @property
    def name(self) -> str:
        return _name("hold", self.reason.value)


Destination: TypeAlias = Mailbox | Lmtp | Maildir | Pipe | Forward | Drop | Bounce | Hold
"""`name` tells one destination from another, on every gateway and in every release alike; it has no secret in it and at most 40
characters, the kind first."""


@dataclass(frozen=True)
class Step:
    """One destination, and the recipients on whose behalf it gets the message; at least one."""

    destination: Destination
    recipients: tuple[str, ...]

    @cached_property
    def name(self) -> str:
        """What a record of finished steps calls it: as `Destination` says, with the recipients where each has a process of his own."""
        if isinstance(self.destination, Pipe):
            return _name("pipe", self.destination.command, *self.recipients)
        return self.destination.name


@dataclass(frozen=True)
class Plan:
    """All steps for one message. Every recipient of its envelope is in at least one."""

    steps: tuple[Step, ...]

    @property
    def held(self) -> tuple[Step, ...]:
        """Those that keep the message: while there is one, it must not be deleted."""
        return tuple(step for step in self.steps if isinstance(step.destination, Hold))


def _name(kind: str, *parts: str) -> str:
    # Lengths go in too, so that no part can run into the next.
    whole = "".join(f"{len(part)}:{part}" for part in parts)
    return f"{kind}-{hashlib.blake2b(whole.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
