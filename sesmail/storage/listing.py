"""A mailbox's listing, kept compactly and put in order of arrival without holding the interpreter.

Each message is one `bytes` record: ``modified name NUL size NUL etag``, and behind another NUL the number of its prefix where that
is not the first. `modified` has a fixed width, so records sort by arrival, then by name, and cost about 150 octets each.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Sequence

from sesmail.mail.uidl import is_plain
from sesmail.storage.keys import is_mail

MODIFIED = 24
SLICE = 2048
_RUN = 1000
_STEP = 64
_USUAL = re.compile(rb"[a-z0-9]{32,70}").fullmatch

Pause = Callable[[], Awaitable[None]]


class Listing:
    """What lay behind a mailbox's prefixes, in order of arrival. Never changes; any number of sessions share one."""

    __slots__ = ("_prefixes", "_records", "all_plain", "sizes")

    def __init__(self, prefixes: tuple[str, ...], records: Sequence[bytes], sizes: array[int], *, all_plain: bool) -> None:
        self._prefixes = prefixes
        # The garbage collector looks through a list each time, through a tuple of octets once.
        self._records = tuple(records)
        self.all_plain = all_plain
        """True when every name may stand as a unique id and no two can be equal."""
        self.sizes = sizes
        """Octets as stored, in the order of the messages."""

    def __len__(self) -> int:
        return len(self._records)

    def modified(self, index: int) -> bytes:
        """When the message arrived, as in `store.Row`."""
        return self._records[index][:MODIFIED]

    def name(self, index: int) -> bytes:
        """The key behind its prefix."""
        record = self._records[index]
        return record[MODIFIED : record.index(0, MODIFIED)]

    def source(self, index: int) -> int:
        """Which of the prefixes the key lies behind."""
        parts = self._records[index].split(b"\0")
        return int(parts[3]) if len(parts) > 3 else 0

    def key(self, index: int) -> str:
        """The whole key."""
        return self._prefixes[self.source(index)] + self.name(index).decode()

    def etag(self, index: int) -> str:
        """The ETag, without quotes."""
        return self._records[index].split(b"\0")[2].decode("latin-1")

    def identity(self, index: int) -> bytes:
        """Everything but the time of arrival: equal for one object as long as it is not written anew."""
        return self._records[index][MODIFIED:]

    def before(self, modified: bytes) -> int:
        """How many messages arrived before this moment."""
        return bisect_left(self._records, modified)

    async def equals(self, other: Listing, pause: Pause) -> bool:
        """True when both list the same objects in the same order; holds the interpreter for one slice at a time."""
        if self._prefixes != other._prefixes or len(self) != len(other):
            return False
        for start in range(0, len(self), SLICE):
            if self._records[start : start + SLICE] != other._records[start : start + SLICE]:
                return False
            await pause()
        return True


class Gathering:
    """Takes rows page by page and makes a Listing of them. What is no mail is left out.

    `prefixes`: the mailbox's own one first, then others whose mail belongs to it. `hidden` tells of a key that it is no mail,
    whatever it looks like.
    """

    def __init__(self, prefixes: tuple[str, ...], *, nested: bool, hidden: Callable[[bytes], bool] | None = None) -> None:
        self._prefixes = prefixes
        self._nested = nested
        self._hidden = hidden
        self._all_plain = len(prefixes) == 1
        self._runs: list[Sequence[bytes]] = []
        self._loose: list[bytes] = []

    def add(self, rows: Sequence[tuple[bytes, bytes, bytes, bytes]], source: int = 0) -> None:
        """One page of rows (`store.Row`) behind the prefix of number `source`. Costs about 1 ms for 1,000 rows."""
        if self._hidden is not None:
            rows = [row for row in rows if not self._hidden(row[0])]
        prefix = self._prefixes[source].encode()
        start, nested, append = len(prefix), self._nested, self._loose.append
        # Behind a prefix that ends within a name, "passwd.txt" may lie as "wd.txt".
        cut = prefix.rpartition(b"/")[2]
        mark = b"\0%d" % source if source else b""
        for key, modified, etag, size in rows:
            name = key[start:]
            # Nearly every name is one that needs no closer look; that is two thirds of the time of a large listing.
            if not _USUAL(name) or size == b"0":
                if not name or not is_mail(cut + name, size, nested):
                    continue
                self._all_plain = self._all_plain and is_plain(name)
            append(b"\0".join((modified + name, size, etag)) + mark)
        # Small pages are put together: merging costs a step for each run in each slice.
        if len(self._loose) >= _RUN:
            self._close_run()

    def _close_run(self) -> None:
        self._loose.sort()
        self._runs.append(tuple(self._loose))
        self._loose = []

    async def finish(self, pause: Pause) -> Listing:
        """The listing of all that was added. Awaits `pause` between slices of some thousand messages."""
        self._close_run()
        records: list[bytes] = []
        sizes = array("Q")
        for piece in merged(self._runs):
            records += piece
            sizes.extend([int(record.split(b"\0", 2)[1]) for record in piece])
            await pause()
        self._runs.clear()
        return Listing(self._prefixes, records, sizes, all_plain=self._all_plain)


def merged(runs: Sequence[Sequence[bytes]]) -> Iterator[list[bytes]]:
    """All records of sorted runs in order, in pieces of about SLICE.

    One sort of 100,000 records would hold the interpreter for 40-70 ms. So pivots are sampled from the runs, each run is cut at
    them by bisection, and only what lies between two pivots is sorted at a time.
    """
    samples = sorted(record for run in runs for record in run[_STEP // 2 :: _STEP])
    places = [0] * len(runs)
    for pivot in [*samples[SLICE // _STEP :: SLICE // _STEP], None]:
        piece: list[bytes] = []
        for number, run in enumerate(runs):
            end = len(run) if pivot is None else bisect_left(run, pivot, places[number])
            piece += run[places[number] : end]
            places[number] = end
        piece.sort()
        yield piece
