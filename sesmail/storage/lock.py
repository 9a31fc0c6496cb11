"""The exclusive right to a maildrop that RFC 1939 asks for.

It is courtesy, not safety: keys never change, a vanished message is told as such, and removing an absent one is success.
Nothing is kept that a crash could leave behind.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from sesmail.errors import Busy
from sesmail.interfaces import Client, Place

log = logging.getLogger(__name__)

Maildrop = tuple[str, str, str]


class Hold(Protocol):
    """What a session has while it holds a maildrop, or went on after losing the exclusive right."""

    async def release(self) -> None:
        """Give the right back, if it is still ours. May be called more than once; never raises."""


class Lock(Protocol):
    """Who may open a maildrop."""

    async def take(self, place: Place, client: Client) -> Hold:
        """Take the exclusive right for this client. Raises Busy when another has it, Unavailable when that cannot be known."""


class HostLock(Lock, Protocol):
    """One session per maildrop within this gateway, where a holder that `gives_way` after `idle` seconds loses it to a newcomer."""

    idle: float


def gives_way(client: Client, idle: float) -> bool:
    """True for a holder that has been quiet for `idle` seconds and has marked nothing."""
    return client.quiet_for() >= idle and not client.has_marks()


def maildrop(place: Place) -> Maildrop:
    """What is locked: endpoint, bucket and prefix. Never the login, for two logins may lead to one mailbox."""
    return (place.store.endpoint or "").rstrip("/"), place.store.url.rstrip("/"), place.prefix


@dataclass(eq=False)
class _Held:
    lock: ProcessLock
    name: Maildrop
    client: Client

    async def release(self) -> None:
        # A holder that lost its right must not free the newcomer's.
        if self.lock.holders.get(self.name) is self:
            del self.lock.holders[self.name]


class ProcessLock:
    """One session per maildrop within this process.

    A holder that has been quiet for `idle` seconds and has marked nothing loses the exclusive right to a newcomer, so that a
    phone that lost its connection does not lock its owner out. It goes on as in shared mode: its later marks still work.
    """

    def __init__(self, idle: float) -> None:
        self.idle = idle
        self.holders: dict[Maildrop, _Held] = {}

    async def take(self, place: Place, client: Client) -> Hold:
        """See Lock."""
        name = maildrop(place)
        holder = self.holders.get(name)
        if holder is not None:
            if not gives_way(holder.client, self.idle):
                raise Busy
            log.info("an idle session from %s lost its exclusive right to a newcomer from %s", holder.client.peer, client.peer)
        self.holders[name] = held = _Held(self, name, client)
        return held


class Shared:
    """No exclusive right at all: a hold that holds nothing."""

    async def release(self) -> None:
        """See Hold."""


class NoLock:
    """Every session is let in."""

    async def take(self, place: Place, client: Client) -> Hold:
        """See Lock."""
        return Shared()
