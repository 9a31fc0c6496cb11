"""Addresses of the aliases that this process wrote last, until an index knows them too."""

from __future__ import annotations

import threading
from collections import OrderedDict

from sesmail.aliases.records import Alias

MOST = 1000


class Recent:
    """Thread-safe. Keeps the last MOST ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, alias: Alias) -> None:
        """It has this address now."""
        with self._lock:
            self._kept[alias.identifier] = alias.local, alias.domain
            self._kept.move_to_end(alias.identifier)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def address(self, identifier: str) -> tuple[str, str] | None:
        """Local part and domain that the alias of this identifier had; it may have another one meanwhile."""
        with self._lock:
            return self._kept.get(identifier)
