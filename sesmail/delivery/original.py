"""The object that a message lies in: looked at once, fetched once, opened if it was sealed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import BinaryIO, TypeAlias

from sesmail.delivery.fetched import Fetched, first
from sesmail.errors import Unavailable
from sesmail.storage.sealedform import CannotOpen, is_sealed
from sesmail.storage.store import Head, Store

Unsealed: TypeAlias = Callable[[Mapping[str, str], BinaryIO], BinaryIO]
"""What a sealed object holds, by its metadata and its octets: see `storage.sealed.opened`. Raises CannotOpen, Unavailable."""


class Original:
    """For one thread. To be closed when all is done. `unsealed` is None where sealed mail cannot be opened."""

    def __init__(self, store: Store, key: str, unsealed: Unsealed | None) -> None:
        self.store = store
        self.key = key
        self._unsealed = unsealed
        self._head: Head | None = None
        self._fetched: Fetched | None = None

    @property
    def head(self) -> Head:
        """What the store knows of it: asked once. Raises NoSuchMessage, Unavailable."""
        # Not functools.cached_property: before Python 3.12 that lets only one thread at a time in, whatever the object.
        if self._head is None:
            self._head = self.store.head(self.key)
        return self._head

    @property
    def is_sealed(self) -> bool:
        """Raises as `head`."""
        return is_sealed(self.head.metadata.keys())

    def open(self) -> BinaryIO:
        """The message, seekable, at its first octet; the caller closes it. Fetched once, and checked to its last octet if it was sealed. Raises
        NoSuchMessage, CannotOpen, Unavailable."""
        if self._fetched is None:
            try:
                with closing(self.store.open(self.key)) as source:
                    self._fetched = Fetched(self._as_it_was(source) if self.is_sealed else source)
            except OSError as error:
                raise Unavailable(cause=error) from error
        return self._fetched.open()

    def beginning(self, most: int) -> bytes:
        """Its first octets; unless it is sealed it is not read to its end. Raises as `open`."""
        with closing(self.open() if self.is_sealed else self.store.open(self.key)) as file:
            return first(file, most)

    def close(self) -> None:
        """Give up what was fetched."""
        if self._fetched is not None:
            self._fetched.close()

    def _as_it_was(self, source: BinaryIO) -> BinaryIO:
        if self._unsealed is None:
            raise CannotOpen("the message is sealed, and can only be delivered to a mailbox in a store")
        return self._unsealed(self.head.metadata, source)
