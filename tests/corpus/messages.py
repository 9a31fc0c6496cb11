"""A mailbox of more than two thousand varied messages, the same bytes on every run.

Nothing here imports sesmail: what a message looks like on the wire is spelled a second time, so that a mistake in the
code under test cannot hide in its test.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from tests.corpus import edges, ordinary

SEED = 1939
ORDINARY = 1950

_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True)
class Message:
    """One stored message: a `name` for people, the `key` it lies under (relative to its mailbox), its bytes as stored."""

    name: str
    key: str
    stored: bytes

    @property
    def wire(self) -> bytes:
        """What RETR hands over, before dot-stuffing."""
        return wire_form(self.stored)

    @cached_property
    def octets(self) -> int:
        """Octets of the CRLF form."""
        return len(self.wire)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the CRLF form."""
        return hashlib.sha256(self.wire).hexdigest()

    @cached_property
    def is_crlf(self) -> bool:
        """Stored in CRLF form already, as SES writes it: LIST must be right at first sight."""
        return self.wire == self.stored

    @cached_property
    def longest_line(self) -> int:
        """Octets of the longest line as it is sent: stuffed and with its CRLF."""
        return max(len(line) + 2 for line in stuffed(self.wire).split(b"\r\n"))


def wire_form(stored: bytes) -> bytes:
    """LF without CR becomes CRLF, a lone CR stays, a missing final newline is added."""
    crlf = re.sub(rb"(?<!\r)\n", b"\r\n", stored)
    return crlf if crlf.endswith(b"\r\n") else crlf + b"\r\n"


def stuffed(wire: bytes) -> bytes:
    """RFC 1939 section 3: one more dot before every line that begins with a dot."""
    return re.sub(rb"(?m)^\.", b"..", wire)


def ses_id(seed: int, name: str) -> str:
    """A key as SES makes them: 40 characters of 0-9 and a-v."""
    choice = random.Random(f"{seed}/{name}")
    return "".join(choice.choice(_BASE32HEX) for _ in range(40))


def messages(seed: int = SEED) -> Iterator[Message]:
    """Every message, hard ones and ordinary ones mixed in a fixed order; names and keys are unique."""
    named = dict(edges.hard_cases())
    named |= ordinary.mails(random.Random(seed), ORDINARY)
    names = sorted(named, key=lambda name: ses_id(seed, "order/" + name))
    for name in names:
        yield Message(name, edges.ODD_KEYS.get(name) or ses_id(seed, name), named[name])


@lru_cache(maxsize=1)
def corpus() -> tuple[Message, ...]:
    """The whole mailbox, made once per process (about 100 MB)."""
    return tuple(messages())


@lru_cache(maxsize=1)
def small_corpus() -> tuple[Message, ...]:
    """Every hard case under 1 MB and a handful of ordinary mail: for what is slow or need not be done two thousand times."""
    few = {f"ordinary-{number:04}" for number in range(60)}
    return tuple(m for m in corpus() if len(m.stored) < 1_000_000 and (m.name in few or not m.name.startswith("ordinary-")))
