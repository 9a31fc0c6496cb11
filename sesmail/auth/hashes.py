"""Check a password against what a credential file holds. Imports no Twisted; slow enough to belong into a worker."""

from __future__ import annotations

import hashlib
import hmac
import re

_LEGACY = re.compile(r"[0-9A-Fa-f]{128}\Z")

# The digest of nothing that anybody could type: verifying against it costs the same and always fails.
NOBODY = "0" * 128


def legacy(local: str, password: bytes) -> str:
    """The first passwd.txt format: SHA-512 over ``local:password``, in hexadecimal; the salt is the bare local part."""
    return hashlib.sha512(local.encode() + b":" + password).hexdigest()


def known(stored: str) -> bool:
    """True for a hash in a format that `verify` understands."""
    return _LEGACY.match(stored) is not None


def verify(stored: str, local: str, password: bytes) -> bool:
    """Whether `password` is the one that `stored` was made from, in time that does not depend on the answer.

    `local` is spelt as the credential file spells it, for it is the salt. Hexadecimal digits may be in any case.
    """
    return hmac.compare_digest(legacy(local, password), stored.lower())
