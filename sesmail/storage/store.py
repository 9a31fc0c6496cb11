"""The store interface: a flat space of keys, kept by S3 or by a directory, with the same contract suite for both.

`Store` is plain blocking code for workers, commands and Lambda. `Reader` is the read path that people wait for: the daemon
awaits it on the reactor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Protocol

from sesmail.errors import NoSuchMessage, Refused, TooLarge, Unavailable
from sesmail.interfaces import Body


class Row(NamedTuple):
    """One key of a listing, as bytes, which is how S3 sends it and how a listing is kept.

    `modified` is always 24 octets, ``2026-11-21T09:30:00.000Z``, so that rows sort by arrival as bytes; `size` is decimal;
    `etag` has no quotes.
    """

    key: bytes
    modified: bytes
    etag: bytes
    size: bytes


Page = Callable[[Sequence[tuple[bytes, bytes, bytes, bytes]]], None]


@dataclass(frozen=True)
class Loaded:
    """A small object, whole."""

    data: bytes
    etag: str


@dataclass(frozen=True)
class Aged(Loaded):
    """A small object, and how many seconds ago it was written by the store's own clock, give or take one."""

    age: float


@dataclass(frozen=True)
class Head:
    """What is known of an object without its octets: `modified` in seconds since 1970, names of `metadata` in lower case without
    ``x-amz-meta-``."""

    size: int
    etag: str
    modified: float
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Unchanged:
    """The object still has the ETag that the caller knows."""


class Denied(Unavailable):
    """The store answers, but this is forbidden to us."""


def read_whole(read: Callable[[int], bytes], limit: int) -> bytes:
    """All that `read` gives, until it gives nothing. Raises TooLarge above `limit` octets, having read one more at most."""
    data = b""
    while piece := read(limit + 1 - len(data)):
        data += piece
        if len(data) > limit:
            raise TooLarge
    return data


def look(store: Store, key: str) -> Head | None:
    """What is known of an object; None when there is none."""
    try:
        return store.head(key)
    except NoSuchMessage:
        return None


def carry(
    out_of: Store, source: str, into: Store, key: str, *, match: str, metadata: Mapping[str, str], absent: bool
) -> Head | None:
    """Copy from store to store by reading and writing. Returns and raises as `Store.copy` does."""
    if absent and (found := look(into, key)) is not None:
        return found
    with out_of.open(source, match=match) as file:
        try:
            into.put(key, file, absent=absent, metadata=metadata)
        except Refused:
            found = look(into, key)
            if found is None:
                raise Unavailable(cause=f"something came and went at {key!r}") from None
            return found
    return None


class Store(Protocol):
    """Blocking access. Every method raises Unavailable when the store could not be asked or refused us (Denied, where S3 says so).

    Keys are text without a leading ``/``. A key that the store cannot spell (a directory: ``..``, an empty part) is
    refused with Malformed, never mapped to another one.
    """

    @property
    def keeps_metadata(self) -> bool:
        """Whether something may rest on metadata: it stays with an object as long as that is there."""

    def list(self, prefix: str, *, delimiter: str = "") -> Iterator[Row]:
        """Every key that begins with `prefix`, in key order, without limit; with `delimiter` ``/`` no key that has a ``/`` behind
        the prefix."""

    def folders(self, prefix: str) -> Iterator[str]:
        """What lies directly behind `prefix` as folders: each with `prefix` in front and one ``/`` at its end."""

    def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        """A small object. Raises NoSuchMessage when absent, TooLarge above `limit` octets. `known`: an ETag we have already."""

    def load_aged(self, key: str, *, limit: int) -> Aged:
        """As `load`, with the object's age from the same answer."""

    def head(self, key: str) -> Head:
        """What is known of an object. Raises NoSuchMessage when it is absent; a missing bucket is Unavailable."""

    def open(self, key: str, *, match: str | None = None) -> BinaryIO:
        """An object's octets, once, in order; the caller closes it. `match`: only of this ETag. Raises NoSuchMessage, Refused; a read
        raises Unavailable when the store breaks off or gives fewer octets than it promised."""

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        absent: bool = False,
        match: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Write an object and return its ETag; durable on return. `absent`: only if there is none; `match`: only over this ETag.

        A file is read from where it stands, never whole into memory, and not closed. `metadata`: see `metadata.check`; a directory
        keeps it as far as its file system can, so nothing may rest on it. Raises Refused when the condition does not hold, Malformed
        and TooLarge for metadata that cannot be stored.
        """

    def copy(
        self,
        source: str,
        key: str,
        *,
        match: str,
        metadata: Mapping[str, str],
        absent: bool = False,
        out_of: Store | None = None,
    ) -> Head | None:
        """Copy an object, within the store without fetching it; durable on return. `metadata` replaces all that the source has.

        `absent`: only if nothing lies at `key`; otherwise returns what is known of that, and leaves it. `match`: the ETag that the source
        must still have, else Refused; NoSuchMessage when it is gone. `out_of`: the store that the source lies in, where that is another
        one. Raises Malformed and TooLarge as `put` does.
        """

    def delete(self, keys: Iterable[str]) -> dict[str, str]:
        """Remove keys in as few requests as the store allows; returns those that remain, each with the store's reason. Removing
        an absent key is success. Raises Unavailable only when nothing at all could be asked."""


class Reader(Protocol):
    """The read path, awaited. Unavailable when the store could not be asked; nothing here blocks the reactor."""

    async def list(self, prefix: str, *, nested: bool, page: Page) -> None:
        """Call `page` with rows, in any order of pages, until every key behind `prefix` was given exactly once. Without `nested`
        only keys that have no ``/`` behind the prefix. An absent prefix has no rows."""

    async def folders(self, prefix: str) -> Sequence[str]:
        """As `Store.folders`."""

    async def open(self, key: str, *, size: int, head: bool = False) -> Body:
        """Open an object of about `size` octets (from the listing). Raises NoSuchMessage, Unavailable. `head`: fetch only a first
        part, the rest when it is asked for."""

    async def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        """As `Store.load`."""


Remove = Callable[[Sequence[str]], Awaitable[dict[str, str]]]
