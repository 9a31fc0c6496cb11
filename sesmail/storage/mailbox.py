"""A mailbox as all its sessions share it, and the snapshot in which one session's numbers, sizes and unique ids are frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from sesmail.counters import Counter, Histogram
from sesmail.interfaces import Place
from sesmail.mail.uidl import hashed, uidl
from sesmail.storage.learned import Learned
from sesmail.storage.listing import SLICE, Gathering, Listing, Pause
from sesmail.storage.passwdkeys import PasswdKeys
from sesmail.storage.sealedform import TAG
from sesmail.storage.store import Reader, Remove

Told = Callable[[Sequence[str]], None]

_listed = Histogram("sesmail_mailbox_listing_seconds", "Time that listing a mailbox took.")
_messages = Counter("sesmail_mailbox_listed_messages_total", "Messages that were listed.")


class Snapshot:
    """One session's view. Only what differs from the shared listing is kept here. `less`: by how many octets a message is thought to be
    shorter than it lies there."""

    def __init__(self, listing: Listing, octets: Mapping[int, int], uidls: Mapping[int, bytes], *, less: int = 0) -> None:
        self.listing = listing
        self._less = less
        self._octets = octets
        self._uidls = uidls

    def __len__(self) -> int:
        return len(self.listing)

    def octets(self, index: int) -> int:
        """Octets of the CRLF form, as far as it was known when the snapshot was made."""
        known = self._octets.get(index)
        return max(0, self.listing.sizes[index] - self._less) if known is None else known

    def uidl(self, index: int) -> bytes:
        """The unique id."""
        return self._uidls.get(index) or self.listing.name(index)


async def freeze(listing: Listing, learned: Mapping[bytes, int], pause: Pause, *, less: int = 0) -> Snapshot:
    """A snapshot of this listing with the sizes that are known by now."""
    octets: dict[int, int] = {}
    if learned:
        for part in _slices(len(listing)):
            for index in part:
                if (size := learned.get(listing.identity(index))) is not None:
                    octets[index] = size
            await pause()
    return Snapshot(listing, octets, {} if listing.all_plain else await unique_ids(listing, pause), less=less)


async def unique_ids(listing: Listing, pause: Pause) -> dict[int, bytes]:
    """The unique ids that are not the message's own name.

    Plain names behind the first prefix are taken first, so that none of them depends on what lies elsewhere. A message whose id
    is taken gets a hash of its whole key.
    """
    ids: dict[int, bytes] = {}
    taken: set[bytes] = set()
    late: list[tuple[int, int]] = []
    for part in _slices(len(listing)):
        for index in part:
            source, name = listing.source(index), listing.name(index)
            if source or uidl(name) != name:
                late.append((source, index))
            else:
                taken.add(name)
        await pause()
    late.sort()
    for part in _slices(len(late)):
        for _, index in late[part.start : part.stop]:
            name, key = listing.name(index), listing.key(index).encode()
            chosen = uidl(name)
            while chosen in taken:
                chosen = key = hashed(key)
            taken.add(chosen)
            ids[index] = chosen
        await pause()
    return ids


def _slices(count: int) -> Iterator[range]:
    return (range(start, min(start + SLICE, count)) for start in range(0, count, SLICE))


class Mailbox:
    """One mailbox of one store, shared by all sessions that have it open: the last listing, learned sizes, the change feed.

    Others may remove mail at any time; the feed tells only what went through this process.
    """

    def __init__(self, place: Place, learned: Learned, passwd: PasswdKeys) -> None:
        self._name = (place.store, place.prefix)
        self._learned = learned
        self._passwd = passwd
        self._last: Listing | None = None
        self._watchers: list[Told] = []

    async def open(self, reader: Reader, place: Place, pause: Pause) -> Snapshot:
        """List the mailbox anew and freeze it. Raises Unavailable."""
        prefixes = (place.prefix, *place.also)
        gathering = Gathering(prefixes, nested=place.nested, hidden=self._passwd.behind(place.store, prefixes))
        with _listed.time():
            for source, prefix in enumerate(prefixes):
                await reader.list(prefix, nested=place.nested, page=partial(gathering.add, source=source))
            listing = await gathering.finish(pause)
        _messages.add(by=len(listing))
        if self._last is not None and await self._last.equals(listing, pause):
            listing = self._last
        self._last = listing
        return await freeze(listing, self._learned.of(self._name), pause, less=TAG if place.sealed else 0)

    def learn(self, listing: Listing, index: int, octets: int) -> None:
        """The message went out whole in `octets` octets, unlike what was thought: snapshots made from now on say so."""
        self._learned.learn(self._name, listing.identity(index), octets)

    async def remove(self, remove: Remove, keys: Sequence[str]) -> dict[str, str]:
        """Remove from the store and tell all watchers what is gone; returns what remains and why. Raises Unavailable."""
        remaining = await remove(keys)
        gone = [key for key in keys if key not in remaining]
        for told in tuple(self._watchers):
            told(gone)
        return remaining

    def watch(self, told: Told) -> Callable[[], None]:
        """Hear the keys of every removal until the returned function is called (once)."""
        self._watchers.append(told)
        return lambda: self._watchers.remove(told)
