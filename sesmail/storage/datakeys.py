"""Data keys that KMS has unwrapped, remembered for a short time: mail programs look at a message more than once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TypeAlias

from sesmail.counters import Counter
from sesmail.interfaces import StorePlace

Decrypt = Callable[[StorePlace, bytes, Mapping[str, str]], bytes]
"""As whom, the wrapped key, its context: see `aws.kms.Kms.decrypt`."""

_looked_up = Counter(
    "sesmail_data_keys_total",
    "Data keys that were needed, by whether they were remembered: yes, or no when KMS was asked.",
    ("remembered",),
)

Name: TypeAlias = tuple[StorePlace, bytes]


class DataKeys:
    """Thread-safe. At most `most` keys, each for at most `seconds` (0: none is kept), and only for whom KMS gave it to."""

    def __init__(
        self, decrypt: Decrypt, *, seconds: float, most: int = 10_000, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._decrypt = decrypt
        self._seconds = seconds
        self._most = most
        self._now = now
        self._kept: OrderedDict[Name, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """The data key. Blocks. Raises Unavailable."""
        name = self.name(place, wrapped, context)
        key = self.known(name)
        if key is None:
            key = self._decrypt(place, wrapped, context)
            self.keep(name, key)
        return key

    @staticmethod
    def name(place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> Name:
        """By which a key is known."""
        return place, hashlib.sha256(b"%d %s %s" % (len(wrapped), wrapped, repr(sorted(context.items())).encode())).digest()

    def known(self, name: Name) -> bytes | None:
        """The data key if it is remembered, for those who ask KMS themselves."""
        with self._lock:
            self._forget_old()
            kept = self._kept.get(name)
        _looked_up.add("yes" if kept else "no")
        return kept[1] if kept else None

    def keep(self, name: Name, key: bytes) -> None:
        """Remember what KMS gave."""
        if self._seconds > 0:
            with self._lock:
                self._kept[name] = self._now() + self._seconds, key
                self._kept.move_to_end(name)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)

    def _forget_old(self) -> None:
        # All are kept for the same time, so the first ones run out first.
        while self._kept and next(iter(self._kept.values()))[0] <= self._now():
            self._kept.popitem(last=False)
