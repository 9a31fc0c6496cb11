"""Check a password against what a password file holds. Imports no Twisted; slow enough to belong into a worker."""

from __future__ import annotations

import hashlib
import hmac
import re

from sesmail.auth import schemes

_LEGACY = re.compile(r"[0-9A-Fa-f]{128}\Z")

# The digest of nothing that anybody could type: verifying against it costs the same and always fails.
NOBODY = "0" * 128


def legacy(local: str, password: bytes) -> str:
    """The first passwd.txt format: SHA-512 over ``local:password``, in hexadecimal; the salt is the bare local part."""
    return hashlib.sha512(local.encode() + b":" + password).hexdigest()


def known(stored: str) -> bool:
    """True for a hash in a format that `verify` understands."""
    return _LEGACY.match(stored) is not None or schemes.verifier(stored) is not None


def locked(stored: str) -> bool:
    """True for what says that no password will do: empty, or begun with ``!`` or ``*``."""
    return not stored or stored[0] in "!*"


def verify(stored: str, local: str, password: bytes) -> bool:
    """Whether `password` is the one that `stored` was made from; False for a format that is not known.

    `local` is spelt as the password file spells it, for it is the salt of the first format. Comparisons are constant-time.
    """
    if _LEGACY.match(stored):
        return hmac.compare_digest(legacy(local, password), stored.lower())
    verifier = schemes.verifier(stored)
    return verifier is not None and verifier(password)


def outdated(stored: str) -> bool:
    """True for a known hash that can be guessed quickly, which a new one should replace."""
    return known(stored) and not schemes.slow(stored)


def fresh(password: bytes) -> str:
    """A new hash of the best kind that is at hand. Raises ValueError for a password with a NUL."""
    return schemes.hashed(password)
