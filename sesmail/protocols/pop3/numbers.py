"""Message numbers as clients write them: from 1, in decimal."""

from __future__ import annotations

import re

from sesmail.errors import Malformed, NoSuchMessage

_NUMBER = re.compile(rb"[0-9]+")
# No maildrop is that big, and no longer number need be computed.
_DIGITS = 10


def message_index(word: bytes) -> int:
    """The index, from 0, of the message that `word` names. Raises Malformed, and NoSuchMessage for what no maildrop has."""
    number = line_count(word)
    if number == 0:
        raise NoSuchMessage
    return number - 1


def line_count(word: bytes) -> int:
    """A number of lines; a huge one is as good as any other that is more than all. Raises Malformed."""
    if not _NUMBER.fullmatch(word):
        raise Malformed("not a number")
    return int(word) if len(word) <= _DIGITS else 10**_DIGITS
