"""What we write about messages beside them: small JSON objects with a version, read as strictly as anything from outside."""

from __future__ import annotations

from sesmail.aws.document import LONGEST_DOCUMENT, Part, load
from sesmail.errors import MailError, Unavailable
from sesmail.storage.store import Loaded, Store

FORMAT = 1
LONGEST = LONGEST_DOCUMENT
"""Octets of one of them."""


def stored(store: Store, key: str) -> bytes:
    """Raises NoSuchMessage, TooLarge, Unavailable."""
    found = store.load(key, limit=LONGEST)
    return found.data if isinstance(found, Loaded) else b""


def versioned(data: bytes) -> Part:
    """The document. Raises Malformed, also for one that a newer program wrote; TooLarge."""
    said = load(data, "the record")
    version = said.member("sesmail")
    if version.value != FORMAT:
        version.wrong(f"{FORMAT}, the format that is known here")
    return said


def unreadable(key: str, error: MailError) -> Unavailable:
    """What to raise where nothing can be done without the record: an administrator has to look at it."""
    return Unavailable(cause=f"{key!r} cannot be read, and must be mended or removed: {error}")
