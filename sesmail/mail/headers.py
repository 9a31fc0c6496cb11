"""The header of a message as octets: whole fields are found, taken away or put in front, and no other octet ever changes.

Line ends are CRLF here (`mail.data` makes them so). Two programs must not be able to see different fields in one header: what some
of them would read otherwise is refused as Malformed. RFC 5322.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sesmail.errors import Malformed
from sesmail.interfaces import Hop

_BLANK = b"\r\n\r\n"
_NEXT_FIELD = re.compile(rb"(?<=\r\n)(?![ \t])")
_NAME = re.compile(rb"([!-9;-~]+):")
# TAB, ESC, SO and SI are in honest mail (ISO 2022). At the others some programs end a line or a text.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x10-\x1a\x1c-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_FOLD = re.compile(rb"\r\n(?=[ \t]+[^ \t\r\n])")
_UNSAFE = re.compile(r"[^A-Za-z0-9.:_\[\]-]")
_UNSAFE_BUT_SPACE = re.compile(r"[^A-Za-z0-9.:_\[\] -]")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Field:
    """One field. `name` is lower case, `raw` all of it with its folds and last CRLF."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> bytes:
        """What follows the colon, unfolded, without white space around it.

        A fold onto a line of nothing but white space stays in it as CRLF: some take such a line for the end of the header.
        """
        return _FOLD.sub(b"", self.raw.partition(b":")[2].removesuffix(b"\r\n")).strip(b" \t")


def end_of_header(data: bytes) -> int | None:
    """The offset behind the blank line, None while it has not come. `data` begins where the message does.

    0 for a message that has no header, which is one whose first line has no colon; `prepended` then parts the two.
    """
    first = data.find(b"\r\n")
    if first < 0:
        return None
    if b":" not in data[:first]:
        return 2 if first == 0 else 0
    blank = data.find(_BLANK, first)
    return None if blank < 0 else blank + len(_BLANK)


def fields(head: bytes) -> tuple[Field, ...]:
    """The fields of a header, with or without its blank line, in their order.

    Raises Malformed for a line that is neither a field nor folded, white space before a colon, a lone CR or LF, NUL and most other
    control characters.
    """
    if _CONTROL.search(head):
        raise Malformed("the header of the message has control characters in it", smtp="554 5.6.0")
    lines = head[: -len(b"\r\n")] if head.endswith(_BLANK) or head == b"\r\n" else head
    if lines and not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return tuple(_field(raw) for raw in _NEXT_FIELD.split(lines) if raw)


def _field(raw: bytes) -> Field:
    name = _NAME.match(raw)
    if name is None:
        raise Malformed("the header of the message has a line that is no field", smtp="554 5.6.0")
    return Field(name[1].lower(), raw)


def one(found: Iterable[Field], name: bytes) -> Field | None:
    """The only field of this name, None where there is none. Raises Malformed for several, of which each program picks its own."""
    named = [field for field in found if field.name == name]
    if len(named) > 1:
        raise Malformed(f"the message has more than one {name.decode('ascii').title()} field", smtp="554 5.6.0")
    return named[0] if named else None


def without(found: Iterable[Field], names: Collection[bytes]) -> bytes:
    """The octets of these fields but for those of these names (lower case), without a blank line."""
    return b"".join(field.raw for field in found if field.name not in names)


def prepended(head: bytes, *new: bytes) -> bytes:
    """The header with whole fields in front of it, in this order. It ends in a blank line, also where `head` has none."""
    whole = b"".join(new) + head
    return whole if whole.endswith(_BLANK) or whole == b"\r\n" else whole + b"\r\n"


def field(name: bytes, value: bytes) -> bytes:
    """A whole field on one line. Raises ValueError for a value that would be more than that."""
    if _CONTROL.search(value) or b"\n" in value:
        raise ValueError("a field's value is one line")
    return name + b": " + value + b"\r\n"


def date(unix_time: float) -> bytes:
    """A date as Date and Received have it, in UTC."""
    when = datetime.fromtimestamp(int(unix_time), UTC)
    day, month = _DAYS[when.weekday()], _MONTHS[when.month - 1]
    return f"{day}, {when.day:02} {month} {when.year:04} {when:%H:%M:%S} +0000".encode("ascii")


def message_id(unique: str, domain: str) -> bytes:
    """A Message-ID's value. `unique` has to be."""
    return f"<{unique}@{domain}>".encode("ascii")


def received(hop: Hop, *, by: str, id: str, now: float, hide_client: bool = False) -> bytes:
    """A whole Received field (RFC 5321 section 4.4). With `hide_client` it does not say where the message came from."""
    parts = [] if hide_client else [f"from {_safe(hop.helo)} ({_tcp(hop.peer)})"]
    parts.append(f"by {by} with {hop.protocol} id {id}")
    if hop.tls:
        parts.append(f"({_safe(hop.tls, _UNSAFE_BUT_SPACE)})")
    text = "\r\n\t".join(["Received: " + parts[0], *parts[1:]])
    return text.encode("ascii") + b";\r\n\t" + date(now) + b"\r\n"


def _tcp(peer: str) -> str:
    if peer == "unix":
        return peer
    return f"[IPv6:{_safe(peer)}]" if ":" in peer else f"[{_safe(peer)}]"


def _safe(word: str, unsafe: re.Pattern[str] = _UNSAFE) -> str:
    # The client chose it: nothing of it may end a comment or the field.
    return unsafe.sub("?", word[:255]) or "?"
