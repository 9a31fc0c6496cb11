"""What clients say: dialogs as they should be, dialogs gone wrong, and noise, cut anywhere. All of it drawn from one `Random`."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.proof.shaky import name, password

_DIALOGS = Path(__file__).parents[1] / "dialogs"
_REPEAT = re.compile(r"\{(.)\*(\d+)\}")
_NUMBERS = (b"0", b"1", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"-1", b"+1", b"01", b"1 1", b"\xb2", b"9" * 30, b"")
_ODD = (
    b"\r",
    b"\n",
    b"\0",
    b".\r\n",
    b"\r\n.\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"\xff" * 8,
    b"A" * 300,
    b"STLS\r\n",
    b"QUIT\r\n",
)
_LONG = (b"B" * 20_000, b"NOOP\r\n" * 60_000, b"USER " + b"u" * 70_000)
_OTHERS = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"EHLO me\r\n",
    b"* OK\r\n",
    b"*\r\n",
)


def talk(chance: random.Random, user: int) -> bytes:
    """All that one client says."""
    kind = chance.random()
    if kind < 0.08:
        said = chance.randbytes(chance.randint(1, 400))
        return said if chance.random() < 0.5 else login(chance, user) + said
    said = _printed(chance, user) if kind < 0.35 else _session(chance, user)
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 8))):
        said = chance.choice(_MUTATIONS)(chance, said)
    return said


def cut(chance: random.Random, said: bytes) -> list[bytes]:
    """The same in pieces."""
    style = chance.random()
    if style < 0.3:
        return [said]
    if style < 0.6:
        return said.splitlines(keepends=True)[:200] or [said]
    edges = sorted(chance.randint(0, len(said)) for _ in range(chance.randint(1, 8)))
    return [said[start:end] for start, end in zip([0, *edges], [*edges, len(said)], strict=True)]


def login(chance: random.Random, user: int) -> bytes:
    who, secret = name(user), password(user)
    kind = chance.random()
    if kind < 0.6:
        return b"USER %b\r\nPASS %b\r\n" % (who, secret)
    if kind < 0.8:
        return b"AUTH PLAIN %b\r\n" % base64.b64encode(b"\0%b\0%b" % (who, secret))
    if kind < 0.9:
        return b"AUTH LOGIN\r\n%b\r\n%b\r\n" % (base64.b64encode(who), base64.b64encode(secret))
    if kind < 0.95:
        return b"AUTH XOAUTH2\r\n%b\r\n" % base64.b64encode(b"user=%b\1auth=Bearer %b\1\1" % (who, secret))
    return b"AUTH OAUTHBEARER %b\r\n" % base64.b64encode(b"n,a=%b,\1auth=Bearer %b\1\1" % (who, secret))


def _session(chance: random.Random, user: int) -> bytes:
    before = b"".join(_before(chance) for _ in range(chance.choice((0, 0, 0, 1, 3))))
    after = b"".join(_command(chance) for _ in range(chance.randint(0, 12)))
    end = chance.choice((b"", b"QUIT\r\n", b"QUIT\r\n", b"quit\n"))
    return before + (login(chance, user) if chance.random() < 0.9 else b"") + after + end


def _before(chance: random.Random) -> bytes:
    return chance.choice(
        (
            b"CAPA\r\n",
            b"STLS\r\n",
            b"STLS\r\n",
            b"AUTH\r\n",
            b"NOOP\r\n",
            b"USER x\r\nPASS y\r\n",
            b"AUTH PLAIN\r\n*\r\n",
            b"PASS \r\n",
        )
    )


def _command(chance: random.Random) -> bytes:
    verb = chance.choice(
        (b"STAT", b"LIST", b"LIST", b"UIDL", b"UIDL", b"RETR", b"RETR", b"TOP", b"DELE", b"RSET", b"NOOP", b"CAPA")
    )
    number = chance.choice(_NUMBERS)
    arguments = {
        b"LIST": chance.choice((b"", b" " + number)),
        b"UIDL": chance.choice((b"", b" " + number)),
        b"RETR": b" " + number,
        b"TOP": b" %b %b" % (number, chance.choice((b"0", b"1", b"2", b"1000000", b"x"))),
        b"DELE": b" " + number,
    }.get(verb, b"")
    return verb + arguments + b"\r\n"


@cache
def _files() -> list[bytes]:
    """What clients say in the dialogs that are printed for the tests."""
    found = []
    for path in sorted(_DIALOGS.glob("*.txt")):
        lines = [line[3:] for line in path.read_text(encoding="ascii").splitlines() if line.startswith("C: ")]
        text = _REPEAT.sub(lambda match: match[1] * int(match[2]), "\r\n".join([*lines, ""]))
        found.append(text.encode("ascii", "replace"))
    return found


def _printed(chance: random.Random, user: int) -> bytes:
    said = chance.choice(_files()).replace(b"joe@example.com", name(user)).replace(b"PASS secret", b"PASS " + password(user))
    return said if b"PASS" in said or b"AUTH" in said else login(chance, user) + said


def _spot(chance: random.Random, said: bytes) -> tuple[int, int]:
    start = chance.randint(0, len(said))
    return start, min(len(said), start + chance.choice((1, 1, 2, 8, 40)))


def _changed(chance: random.Random, said: bytes) -> bytes:
    start, end = _spot(chance, said)
    return said[:start] + chance.randbytes(end - start) + said[end:]


def _removed(chance: random.Random, said: bytes) -> bytes:
    start, end = _spot(chance, said)
    return said[:start] + said[end:]


def _repeated(chance: random.Random, said: bytes) -> bytes:
    start, end = _spot(chance, said)
    return said[:end] + said[start:end] * chance.choice((1, 1, 2, 20)) + said[end:]


def _inserted(chance: random.Random, said: bytes) -> bytes:
    start, _ = _spot(chance, said)
    odd = chance.choice(_ODD) if chance.random() < 0.99 else chance.choice(_LONG)
    return said[:start] + odd + said[start:]


def _foreign(chance: random.Random, said: bytes) -> bytes:
    return chance.choice(_OTHERS) + said if chance.random() < 0.2 else said


def _swapped(chance: random.Random, said: bytes) -> bytes:
    lines = said.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _other_case(chance: random.Random, said: bytes) -> bytes:
    start, end = _spot(chance, said)
    return said[:start] + said[start:end].swapcase() + said[end:]


def _short(chance: random.Random, said: bytes) -> bytes:
    return said[: chance.randint(0, len(said))]


_MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _changed,
    _removed,
    _repeated,
    _inserted,
    _foreign,
    _swapped,
    _other_case,
    _short,
)
