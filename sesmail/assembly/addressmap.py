"""The Postfix-style map of the configuration: asked from threads, read again on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sesmail.aliases.model import Target, in_map
from sesmail.aliases.postfixmap import load


class AddressMap:
    """The table of ``TYPE:PATH``. Raises Malformed and Unavailable, in words for the admin."""

    def __init__(self, spec: str) -> None:
        self._table = load(spec)

    def resolve(self, address: str) -> Sequence[str]:
        """The accounts and addresses that the address leads to, in lower case. A long table takes milliseconds."""
        return self._table.resolve(address)

    def look_up(self, address: str) -> Sequence[Target]:
        """See LookUp."""
        return in_map(self._table)(address)

    def prepare(self, spec: str) -> Callable[[], None]:
        """Read the table of this ``TYPE:PATH``. What is returned looks addresses up in it from then on."""
        table = load(spec)

        def take_on() -> None:
            self._table = table

        return take_on
