"""What a message is called that somebody hands to us: the same at every try, so that one that is delivered again is not there twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import BinaryIO

from sesmail.delivery.lineends import pieces, with_lf

_OCTETS = 20


def digest(file: BinaryIO) -> bytes:
    """What stands for the octets from where `file` stands, whichever line ends they have: LMTP may mend a CR that stands alone. The
    file stands where it stood."""
    start = file.tell()
    found = hashlib.blake2b(digest_size=_OCTETS)
    for piece in with_lf(pieces(file)):
        found.update(piece.replace(b"\r", b"\n").replace(b"\n", b"\r\n"))
    file.seek(start)
    return found.digest()


def called(octets: bytes, queue_id: str, sender: str, recipients: Sequence[str]) -> str:
    """40 hex digits for a message with this `digest`, for these recipients in any order and any case."""
    people = sorted(recipient.lower() for recipient in recipients)
    marks = "\0".join([queue_id, sender, *people]).encode()
    return hashlib.blake2b(octets + marks, digest_size=_OCTETS).hexdigest()
