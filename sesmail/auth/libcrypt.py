"""The system's own crypt(3), as libxcrypt has it: what hashes the passwords of Debian itself, and lets others run meanwhile.

Imports no Twisted; slow enough for a worker. Where the library is not there, nothing is known here.
"""

from __future__ import annotations

import ctypes
import hmac
import re
import secrets

# sizeof(struct crypt_data) since libxcrypt 4.0, which keeps it; the one of glibc before that was larger.
_DATA = 32_768
# CRYPT_MAX_PASSPHRASE_SIZE counts the NUL at the end.
LONGEST = 511
_SALT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# What crypt_checksalt says of a setting that works, if only for old hashes or at little cost.
_WORKS = frozenset({0, 3, 4})
# All of a hash: others than these would only be found wrong after the time that they cost.
_WHOLE = re.compile(
    r"\$5\$(?:rounds=[1-9][0-9]{3,}\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{43}\Z"
    r"|\$6\$(?:rounds=[1-9][0-9]{3,}\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{86}\Z"
    r"|\$g?y\$j[./0-9A-Za-z]{2}\$[./0-9A-Za-z]{0,86}\$[./0-9A-Za-z]{43}\Z"
    r"|\$7\$[./0-9A-Za-z]{11}[./0-9A-Za-z]{0,86}\$[./0-9A-Za-z]{43}\Z"
)


def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libcrypt.so.1")
        check, crypt = library.crypt_checksalt, library.crypt_r
    except (OSError, AttributeError):
        # None at all, or the one of an old glibc, which wants other buffers.
        return None
    check.restype, check.argtypes = ctypes.c_int, (ctypes.c_char_p,)
    crypt.restype, crypt.argtypes = ctypes.c_char_p, (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
    return library


_LIBRARY = _library()


def knows(stored: str) -> bool:
    """Whether `verify` can tell: a whole hash of SHA-256, SHA-512, yescrypt, gost-yescrypt or scrypt, and a library that has it."""
    if _LIBRARY is None or not _WHOLE.match(stored):
        return False
    return _LIBRARY.crypt_checksalt(stored.encode()) in _WORKS


def verify(password: bytes, stored: str) -> bool:
    """Whether `stored`, which `knows` must know, was made from this password. A password that no such hash can be made of is
    wrong."""
    if _LIBRARY is None or b"\0" in password or len(password) > LONGEST:
        return False
    return hmac.compare_digest(_crypt(_LIBRARY, password, stored), stored.encode())


def sha512(password: bytes, rounds: int) -> str | None:
    """A new salted SHA-512 hash, None where the library is missing. Raises ValueError for a password with a NUL or of more than
    LONGEST octets."""
    if _LIBRARY is None:
        return None
    if b"\0" in password or len(password) > LONGEST:
        raise ValueError(f"a password cannot hold a NUL or more than {LONGEST} octets")
    salt = "".join(secrets.choice(_SALT) for _ in range(16))
    made = _crypt(_LIBRARY, password, f"$6$rounds={rounds}${salt}$").decode()
    return made if knows(made) else None


def _crypt(library: ctypes.CDLL, password: bytes, setting: str) -> bytes:
    """What crypt_r makes of it; something that is no hash when it fails, as crypt(3) says."""
    data = ctypes.create_string_buffer(_DATA)
    # Without the interpreter's lock; the buffer is this call's own.
    made: bytes | None = library.crypt_r(password, setting.encode(), data)
    return made or b"*0"
