"""A lease on a mailbox, kept in the store itself: one small object that gateways write over each other by conditional writes.

It is created only where there is none, and renewed, taken over and given back only over the version that the writer knows. It is
never removed: a gateway that looks at an absent object could not tell who was there first. Its age is told by the store's clock,
so the clocks of gateways do not matter.

Like every lock here it is courtesy (see lock.py). Blocking code.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from sesmail.errors import Busy, NoSuchMessage, Refused
from sesmail.storage.store import Aged, Denied, Store

_LIMIT = 1024
# A write over a version of our own, one that our own renewal overtook, and one that was answered although it succeeded.
_TRIES = 3
_NO_ETAG = "0" * 32


class Lease:
    """What a session has of a lease that it took. Threads may call it at the same time."""

    def __init__(self, store: Store, key: str, gateway: str, etag: str | None) -> None:
        self._store = store
        self._key = key
        self._mine = f"{_by(gateway)}{secrets.token_hex(16)} "
        self._etag = etag

    def renew(self) -> bool:
        """Make it as good as new: one request. False when somebody else has it; then it will never be ours again. Raises
        Unavailable: then it may or may not have been renewed."""
        return self._write(self._mine)

    def give_back(self) -> None:
        """Let others have it at once, unless somebody has it already: one request. Raises Unavailable: then it lapses."""
        self._write("free ")

    def holds(self) -> bool:
        """Whether the store keeps to conditions, tried on the lease itself: two requests. Raises Unavailable."""
        return conditional(self._store, self._key, self._text(self._mine))

    def _write(self, start: str) -> bool:
        text = self._text(start)
        for _ in range(_TRIES):
            try:
                absent = self._etag is None
                self._etag = self._store.put(self._key, text, absent=absent, match=self._etag)
                return True
            except Refused:
                # A client that repeats a request of which only the answer was lost is refused by its own success.
                found = self._found()
            if found is None or not (found.data == text or found.data.startswith(self._mine.encode())):
                return False
            self._etag = found.etag
            if found.data == text:
                return True
        return False

    def _found(self) -> Aged | None:
        try:
            return self._store.load_aged(self._key, limit=_LIMIT)
        except NoSuchMessage:
            return None

    @staticmethod
    def _text(start: str) -> bytes:
        # No two writes are alike: an ETag may be a mere hash of the text, and must change with each of them.
        return f"{start}{secrets.token_hex(8)}\n".encode()


def take(store: Store, key: str, gateway: str, seconds: float) -> Lease:
    """The lease at `key`, if it is absent, given back, `seconds` old or this gateway's own: two requests, one more where another
    takes it at the same moment. Raises Busy when somebody else has it, Unavailable, TooLarge for an object that is no lease.

    `gateway` is one random word for the whole process. Which of its sessions may have the lease it must know by itself.
    """
    lease = Lease(store, key, gateway, _version(store, key, gateway, seconds))
    if not lease.renew():
        raise Busy
    return lease


def _version(store: Store, key: str, gateway: str, seconds: float) -> str | None:
    """The ETag of a lease that may be taken, None where there is none."""
    try:
        found = store.load_aged(key, limit=_LIMIT)
    except (NoSuchMessage, Denied):
        # S3 says 403 of an absent object to those who may list a part of the bucket only.
        return None
    if found.age < seconds and not found.data.startswith((b"free ", _by(gateway).encode())):
        raise Busy
    return found.etag


def _by(gateway: str) -> str:
    return f"held {gateway} "


def conditional(store: Store, key: str, text: bytes) -> bool:
    """Whether the store keeps to conditions, tried by writing `text` over the object at `key` where that must be refused. Raises
    Unavailable."""
    for absent, match in ((True, None), (False, _NO_ETAG)):
        try:
            store.put(key, text, absent=absent, match=match)
        except Refused:
            continue
        return False
    return True


def try_out(store: Store, key: str) -> bool:
    """Whether the store keeps to conditions: three requests. Leaves a small object at `key`. Raises Unavailable."""
    text = secrets.token_hex(8).encode()
    with suppress(Refused):
        store.put(key, text, absent=True)
    return conditional(store, key, text)
