"""Unique ids of messages, made from what never changes: the key behind the mailbox's prefix (RFC 1939 section 7).

The rules are a promise for ever: a program that leaves mail on the server fetches all of it again when they change.
"""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(rb"[\x21-\x7e]{1,70}")


def is_plain(name: bytes) -> bool:
    """True when the name may stand as a unique id itself."""
    return _PLAIN.fullmatch(name) is not None


def hashed(name: bytes) -> bytes:
    """40 hex digits in place of a name: BLAKE2b of it with a digest of 20 octets."""
    return hashlib.blake2b(name, digest_size=20).hexdigest().encode("ascii")


def uidl(name: bytes) -> bytes:
    """The unique id of the message that is called `name` in its mailbox: 1-70 octets of 0x21-0x7E."""
    return name if is_plain(name) else hashed(name)
