"""Who wrote a message, as a mail program shows it, and how somebody is named who sends on his behalf (RFC 5322 section 3.4, RFC 2047)."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses

LONGEST_NAME = 60
"""Characters of a name that are shown."""

# An encoded word has 75 octets at most (RFC 2047 section 2).
_WORD_OCTETS = 45


def name(value: bytes) -> str:
    """The display name of the first mailbox in an unfolded From value that `mail.mailboxes` has read, without anything that is not to be
    seen; ``""`` where it has none."""
    try:
        shown = getaddresses([value.decode("utf-8")])[0][0]
        words = [
            part if isinstance(part, str) else part.decode(charset or "utf-8", "replace")
            for part, charset in decode_header(shown)
        ]
    except (HeaderParseError, LookupError, ValueError):
        return ""
    return _visible("".join(words))


def on_behalf(shown: str, address: str) -> bytes:
    """The value of a From: `shown`, ``via`` the domain of `address`, and `address`; on one line, at most 998 octets with ``From:``.

    What is shown of a name has no ``@`` in it, so that it is no address.
    """
    domain = address.rpartition("@")[2]
    via = f"via {domain}"
    who = _visible(shown.replace("@", " at ")).removesuffix(via).rstrip()[:LONGEST_NAME].rstrip()
    phrase = _quoted(f"{who} {via}".strip()) if who.isascii() else " ".join([*_encoded(who), _quoted(via)])
    return f"{phrase} <{address}>".encode("ascii")


def _visible(text: str) -> str:
    kept = "".join(sign if not unicodedata.category(sign).startswith("C") else " " for sign in text)
    return " ".join(kept.split())


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _encoded(text: str) -> Iterator[str]:
    word = b""
    for sign in [*text, ""]:
        octets = sign.encode("utf-8")
        if not octets or len(word) + len(octets) > _WORD_OCTETS:
            yield f"=?utf-8?B?{base64.b64encode(word).decode('ascii')}?="
            word = b""
        word += octets
