"""How to list a big mailbox in parallel: cut the keys that are still to come into ranges of about equal weight.

S3 gives a thousand keys at a time and each page waits for the one before. Keys that SES makes are evenly spread over an
alphabet of 32 characters, so after the first page the rest can be asked for at once. The ranges cover every key there can
be, whatever it is made of; a wrong guess costs requests, never rows.
"""

from __future__ import annotations

from bisect import bisect_right
from math import ceil

_ALPHABET = b"0123456789abcdefghijklmnopqrstuv"
_DIGITS = 3
_SPAN = len(_ALPHABET) ** _DIGITS
# A page holds 1,000; as many as are likely to come in one.
_PER_RANGE = 900
_MOST = 120


def cuts(prefix: bytes, first: bytes, last: bytes, rows: int) -> list[bytes]:
    """Keys at which to cut what lies behind `last`, given a page of `rows` keys from `first` to `last`; none when the page says
    too little about the rest (its keys share their first characters) or the rest is small."""
    start, end = _position(first[len(prefix) :]), _position(last[len(prefix) :])
    if first[len(prefix) :][:2] == last[len(prefix) :][:2] or end <= start:
        return []
    expected = rows * (_SPAN - end) / (end - start)
    ranges = min(_MOST, ceil(expected / _PER_RANGE), _SPAN - end)
    if ranges < 2:
        return []
    marks = {end + (_SPAN - end) * part // ranges for part in range(1, ranges)}
    return [cut for cut in (prefix + _name(mark) for mark in sorted(marks)) if cut > last]


def _position(name: bytes) -> int:
    """Where a name lies among all names, by its first characters; one that is not in the alphabet counts as its neighbour."""
    value = 0
    for index in range(_DIGITS):
        digit = max(0, bisect_right(_ALPHABET, name[index]) - 1) if index < len(name) else 0
        value = value * len(_ALPHABET) + digit
    return value


def _name(position: int) -> bytes:
    digits = bytearray()
    for _ in range(_DIGITS):
        position, digit = divmod(position, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    digits.reverse()
    return bytes(digits)
