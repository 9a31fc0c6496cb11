"""What it costs to check a hash, as the hash itself says: a slip in a password file must not stop all logins. Pure."""

from __future__ import annotations

import re

# Each some seconds on a machine of today. What is recommended lies far below.
_MOST = (
    (re.compile(r"\$[56]\$rounds=([0-9]+)\$"), 5_000_000),
    (re.compile(r"\$2[a-z]?\$([0-9]+)\$"), 16),
    (re.compile(r"\$1\$[^$]*\$([0-9]+)\$"), 10_000_000),
)
# 256 MiB, and as many passes over less as take some seconds.
_KIB = 1 << 18
_KIB_PASSES = 1 << 22
_ARGON2 = re.compile(r"\$argon2[a-z]*\$(?:v=[0-9]+\$)?m=([0-9]+),t=([0-9]+),p=[0-9]+")
# The exponent of N, then r, then p (of yescrypt: then nothing or options that nobody uses).
_YESCRYPT = re.compile(r"\$g?y\$j([./0-9A-Za-z])([./0-9A-Za-z])([^$]*)\$")
_SCRYPT = re.compile(r"\$7\$([./0-9A-Za-z])([./0-9A-Za-z]{5})([./0-9A-Za-z]{5})")
_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def affordable(stored: str) -> bool:
    """False for a hash of a known kind (``$...``) that asks for more than some seconds of work or more than 256 MiB."""
    for form, most in _MOST:
        if (found := form.match(stored)) is not None:
            # No need to know how much more it is that has more digits.
            return len(found[1]) < 12 and int(found[1]) <= most
    if (found := _ARGON2.match(stored)) is not None:
        memory, passes = (int(number[:12]) for number in found.groups())
        return memory <= _KIB and memory * passes <= _KIB_PASSES
    if (found := _YESCRYPT.match(stored)) is not None:
        return not found[3] and _kib(_DIGITS.index(found[1]) + 1, _DIGITS.index(found[2]) + 1) <= _KIB
    if (found := _SCRYPT.match(stored)) is not None:
        times = _digits(found[3])
        return 0 < times <= 16 and _kib(_DIGITS.index(found[1]), _digits(found[2])) * times <= _KIB
    return True


def _kib(exponent: int, blocks: int) -> int:
    """The memory of scrypt and its kin: N times r blocks of 128 octets."""
    return (blocks << exponent) >> 3


def _digits(text: str) -> int:
    """Five digits of six bits, the lowest first."""
    return sum(_DIGITS.index(char) << 6 * place for place, char in enumerate(text))
