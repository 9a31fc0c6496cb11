"""Opens maildrops: lock, list, freeze; and carries out what a session asks of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from weakref import WeakValueDictionary

from sesmail.errors import NoSuchMessage
from sesmail.interfaces import DEMO, NO_STORE, Body, Client, Maildrop, Place, StorePlace
from sesmail.storage.folders import Namesakes
from sesmail.storage.learned import Learned
from sesmail.storage.listing import SLICE, Pause
from sesmail.storage.lock import Hold, Lock
from sesmail.storage.mailbox import Mailbox, Snapshot
from sesmail.storage.passwdkeys import PasswdKeys
from sesmail.storage.sample import Sample
from sesmail.storage.store import Reader, Remove

DAY = 86_400
NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Figures:
    """How much there is in a mailbox. Octets are those of LIST."""

    messages: int
    octets: int


class Window(Protocol):
    """Opens messages of one session, and may read ahead."""

    async def open(self, index: int, *, head: bool, skip: frozenset[int] | set[int]) -> Body:
        """See interfaces.Maildrop.open."""

    def close(self) -> None:
        """Give up everything that was read ahead. Called once."""


class MakeWindow(Protocol):
    """Makes the window of a session: `names` gives the key and the stored size of each of `count` messages."""

    def __call__(self, reader: Reader, names: Callable[[int], tuple[str, int]], count: int) -> Window: ...


class Empty:
    """The maildrop of a login that has no mail by definition. See interfaces.Maildrop."""

    def __len__(self) -> int:
        return 0

    def octets(self, index: int) -> int:
        raise IndexError(index)

    def uidl(self, index: int) -> bytes:
        raise IndexError(index)

    async def open(self, index: int, *, head: bool = False, skip: frozenset[int] | set[int] = NOTHING) -> Body:
        raise NoSuchMessage

    def learn(self, index: int, octets: int) -> None:
        raise IndexError(index)

    def expired(self) -> Sequence[int]:
        return ()

    async def remove(self, indexes: Sequence[int]) -> Sequence[int]:
        return ()

    async def close(self) -> None:
        return


class Session:
    """An open maildrop: a snapshot, the hold on its lock, and the ways to the store. See interfaces.Maildrop."""

    def __init__(
        self,
        mailbox: Mailbox,
        snapshot: Snapshot,
        window: Window,
        remove: Remove,
        hold: Hold,
        *,
        keep_after: bytes,
        pause: Pause,
    ) -> None:
        self._mailbox = mailbox
        self._snapshot = snapshot
        self._listing = snapshot.listing
        self._window = window
        self._remove = remove
        self._hold = hold
        self._keep_after = keep_after
        self._pause = pause
        self._gone: set[str] = set()
        self._unwatch = mailbox.watch(self._gone.update)
        self._open = True

    def __len__(self) -> int:
        return len(self._snapshot)

    def octets(self, index: int) -> int:
        return self._snapshot.octets(index)

    def uidl(self, index: int) -> bytes:
        return self._snapshot.uidl(index)

    async def open(self, index: int, *, head: bool = False, skip: frozenset[int] | set[int] = NOTHING) -> Body:
        # The window may still hold what was removed meanwhile.
        if self._gone and self._listing.key(index) in self._gone:
            raise NoSuchMessage
        return await self._window.open(index, head=head, skip=skip)

    def learn(self, index: int, octets: int) -> None:
        if octets != self._snapshot.octets(index):
            self._mailbox.learn(self._listing, index, octets)

    def expired(self) -> Sequence[int]:
        return range(self._listing.before(self._keep_after))

    async def remove(self, indexes: Sequence[int]) -> Sequence[int]:
        keys: dict[str, int] = {}
        for start in range(0, len(indexes), SLICE):
            keys |= {self._listing.key(index): index for index in indexes[start : start + SLICE]}
            await self._pause()
        remaining = await self._mailbox.remove(self._remove, list(keys))
        return sorted(keys[key] for key in remaining)

    async def close(self) -> None:
        if self._open:
            self._open = False
            self._unwatch()
            self._window.close()
            await self._hold.release()


class Maildrops:
    """Opens maildrops of any store.

    `now` is Unix time; `expire_days`: mail older than this is `expired`, None for never. `pause` lets others run between two
    slices of long work. `passwd` are no mail in any mailbox. A mailbox is kept in memory only while a session has it open.
    """

    def __init__(
        self,
        reader_for: Callable[[StorePlace], Reader],
        remove_for: Callable[[StorePlace], Remove],
        lock: Lock,
        *,
        window: MakeWindow,
        pause: Pause,
        now: Callable[[], float],
        expire_days: int | None = None,
        passwd: PasswdKeys | None = None,
    ) -> None:
        self._reader_for = reader_for
        self._remove_for = remove_for
        self._lock = lock
        self._window = window
        self._pause = pause
        self._now = now
        self._expire_days = expire_days
        self._began = now()
        self._passwd = passwd or PasswdKeys()
        self._learned = Learned()
        self._namesakes = Namesakes(now)
        self._mailboxes: WeakValueDictionary[tuple[StorePlace, str, bool], Mailbox] = WeakValueDictionary()

    def hide(self, passwd: PasswdKeys) -> None:
        """From now on these are no mail, in mailboxes that are opened then."""
        self._passwd = passwd

    async def open(self, place: Place | None, client: Client) -> Maildrop:
        """Lock, list, freeze; None and a place without a store open an empty one. Whoever gets a maildrop closes it. Raises Busy, Unavailable: then nothing
        is held."""
        if place is None or place.store.url == NO_STORE:
            return Empty()
        if place == DEMO:
            return Sample(self._began)
        hold = await self._lock.take(place, client)
        try:
            return await self._listed(place, hold)
        except BaseException:
            # Also when the client left meanwhile and we were cancelled.
            await hold.release()
            raise

    async def figures(self, place: Place | None) -> Figures:
        """Of all that is there now, whoever has it locked. Raises Unavailable."""
        if place is None or place.store.url == NO_STORE:
            return Figures(0, 0)
        if place == DEMO:
            sample = Sample(self._began)
            return Figures(len(sample), sum(map(sample.octets, range(len(sample)))))
        _, snapshot = await self._opened(place)
        octets = 0
        for start in range(0, len(snapshot), SLICE):
            octets += sum(map(snapshot.octets, range(start, min(start + SLICE, len(snapshot)))))
            await self._pause()
        return Figures(len(snapshot), octets)

    async def _listed(self, place: Place, hold: Hold) -> Session:
        mailbox, snapshot = await self._opened(place)
        listing, reader = snapshot.listing, self._reader_for(place.store)
        window = self._window(reader, lambda index: (listing.key(index), listing.sizes[index]), len(listing))
        remove = self._remove_for(place.store)
        return Session(mailbox, snapshot, window, remove, hold, keep_after=self._keep_after(), pause=self._pause)

    async def _opened(self, place: Place) -> tuple[Mailbox, Snapshot]:
        reader = self._reader_for(place.store)
        place = await self._namesakes.complete(reader, place)
        made = Mailbox(place, self._learned, self._passwd)
        mailbox = self._mailboxes.setdefault((place.store, place.prefix, place.nested), made)
        return mailbox, await mailbox.open(reader, place, self._pause)

    def _keep_after(self) -> bytes:
        if self._expire_days is None:
            return b""
        return datetime.fromtimestamp(self._now() - self._expire_days * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()
