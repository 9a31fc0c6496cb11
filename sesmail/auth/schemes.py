"""The ``{SCHEME}`` hashes of Dovecot's password files, by way of libcrypt and passlib. Imports no Twisted; slow enough for a
worker.

Under the name passlib comes either Debian's passlib 1.7.4 or its successor libpass.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sesmail.auth import libcrypt
from sesmail.auth.costs import affordable

# Debian 13 has a bcrypt that this passlib cannot ask for its version, of which it would warn with a traceback.
logging.getLogger("passlib").setLevel(logging.ERROR)

from passlib.exc import MissingBackendError  # noqa: E402 -- see above
from passlib.hash import argon2, bcrypt, des_crypt, md5_crypt, sha256_crypt, sha512_crypt  # noqa: E402 -- see above

Verify = Callable[[bytes], bool]

# What more than this is cut off by bcrypt itself, or refused since bcrypt 5.
_BCRYPT_OCTETS = 72
# OWASP's choice; some logins at once must fit into memory.
_ARGON2ID = {"type": "ID", "memory_cost": 19_456, "time_cost": 2, "parallelism": 1}
# Four times the usual.
_SHA512_ROUNDS = 20_000
# Where libcrypt is missing, neither Python's C code nor passlib's own lets anything else of the process run meanwhile. Waiting for
# this lock they do not compete with the reactor, as they cannot run at the same time anyhow.
_one_at_a_time = threading.Lock()
# One processor is left to the reactor. Each of these may want 16 MiB and more, too.
_side_by_side = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) - 1))

_TAGGED = re.compile(r"\{([A-Za-z0-9-]+)(?:\.(HEX|B64|BASE64))?\}(.*)\Z", re.IGNORECASE)
_DES = re.compile(r"[./0-9A-Za-z]{13}\Z")
_PBKDF2 = re.compile(r"\$1\$([^$]+)\$([0-9]{1,8})\$([0-9a-fA-F]{40})\Z")


def _has_argon2() -> bool:
    try:
        # Without this first call passlib 1.7.4 fails when its first hash is verified.
        argon2.get_backend()
    except MissingBackendError:
        return False
    return True


# Backends are loaded now, by one thread.
_ARGON2 = _has_argon2()
bcrypt.get_backend()

_MODULAR: dict[str, Any] = {
    "$2a$": bcrypt,
    "$2b$": bcrypt,
    "$2y$": bcrypt,
    "$5$": sha256_crypt,
    "$6$": sha512_crypt,
    "$1$": md5_crypt,
} | ({"$argon2id$": argon2, "$argon2i$": argon2} if _ARGON2 else {})
_CRYPTS = frozenset(
    {
        "CRYPT",
        "BLF-CRYPT",
        "SHA256-CRYPT",
        "SHA512-CRYPT",
        "MD5-CRYPT",
        "MD5",
        "DES-CRYPT",
        "ARGON2",
        "ARGON2I",
        "ARGON2ID",
    }
)
# The digest, and whether a salt stands behind it.
_DIGESTS = {
    "SHA": ("sha1", False),
    "SHA1": ("sha1", False),
    "SHA256": ("sha256", False),
    "SHA512": ("sha512", False),
    "LDAP-MD5": ("md5", False),
    "PLAIN-MD5": ("md5", False),
    "SSHA": ("sha1", True),
    "SSHA256": ("sha256", True),
    "SSHA512": ("sha512", True),
    "SMD5": ("md5", True),
}


def verifier(stored: str) -> Verify | None:
    """What tells whether a password belongs to `stored`; None for a scheme or a form that is not known here.

    Without a ``{SCHEME}`` only hashes that name their kind themselves (``$6$...``) are known.
    """
    tagged = _TAGGED.match(stored)
    if tagged is None:
        return _crypt(stored) if stored.startswith("$") else None
    scheme, encoding, rest = tagged[1].upper(), (tagged[2] or "").upper(), tagged[3]
    if scheme in _DIGESTS:
        return _digest(*_DIGESTS[scheme], rest, encoding)
    if encoding:
        return None
    if scheme in _CRYPTS:
        return _crypt(rest)
    if scheme in ("PLAIN", "CLEAR", "CLEARTEXT"):
        return lambda password: _same(password, rest.encode())
    return _pbkdf2(rest) if scheme == "PBKDF2" else None


def slow(stored: str) -> bool:
    """True for hashes that are made to withstand guessing."""
    rest = stored.rpartition("}")[2]
    return rest.startswith(("$2", "$5$", "$6$", "$7$", "$y$", "$gy$", "$argon2")) or stored.upper().startswith("{PBKDF2}")


def hashed(password: bytes) -> str:
    """A new salted hash: ``{ARGON2ID}`` where argon2-cffi is installed, else ``{SHA512-CRYPT}``. Raises ValueError for a NUL."""
    if b"\0" in password:
        raise ValueError("a password cannot hold a NUL")
    with _side_by_side:
        if _ARGON2:
            return "{ARGON2ID}" + str(argon2.using(**_ARGON2ID).hash(password))
        made = libcrypt.sha512(password, _SHA512_ROUNDS) or sha512_crypt.using(rounds=_SHA512_ROUNDS).hash(password)
        return "{SHA512-CRYPT}" + str(made)


def _crypt(rest: str) -> Verify | None:
    if not affordable(rest):
        return None
    if libcrypt.knows(rest):
        return _in_turn(_side_by_side, lambda password: libcrypt.verify(password, rest))
    kind = next((handler for prefix, handler in _MODULAR.items() if rest.startswith(prefix)), None)
    if kind is None and _DES.match(rest):
        kind = des_crypt
    if kind is None or not kind.identify(rest):
        return None
    longest = _BCRYPT_OCTETS if kind is bcrypt else None
    turn = _side_by_side if kind in (bcrypt, argon2) else _one_at_a_time
    return _in_turn(turn, lambda password: bool(kind.verify(password[:longest], rest)))


def _in_turn(turn: AbstractContextManager[object], verify: Verify) -> Verify:
    def verify_in_turn(password: bytes) -> bool:
        try:
            with turn:
                return verify(password)
        except ValueError:
            # What no such hash can be made of, or a hash that is broken behind its beginning.
            return False

    return verify_in_turn


def _digest(name: str, salted: bool, rest: str, encoding: str) -> Verify | None:
    size = hashlib.new(name, usedforsecurity=False).digest_size
    octets = _decoded(rest, encoding, size * 2)
    if octets is None or len(octets) < size or (len(octets) > size) != salted:
        return None
    salt = octets[size:]
    return lambda password: _same(hashlib.new(name, password + salt, usedforsecurity=False).digest(), octets[:size])


def _decoded(rest: str, encoding: str, hex_digits: int) -> bytes | None:
    try:
        # Dovecot takes hexadecimal where the length says so.
        if encoding == "HEX" or (not encoding and len(rest) == hex_digits):
            return binascii.unhexlify(rest)
        return base64.b64decode(rest, validate=True)
    except ValueError:
        return None


def _pbkdf2(rest: str) -> Verify | None:
    found = _PBKDF2.match(rest)
    if found is None or not int(found[2]) or not affordable(rest):
        return None
    salt, rounds, digest = found[1].encode(), int(found[2]), bytes.fromhex(found[3])
    return _in_turn(_side_by_side, lambda password: _same(hashlib.pbkdf2_hmac("sha1", password, salt, rounds), digest))


def _same(one: bytes, other: bytes) -> bool:
    # Digests have one length: comparing passwords themselves would tell how long the right one is.
    return hmac.compare_digest(hashlib.sha256(one).digest(), hashlib.sha256(other).digest())
