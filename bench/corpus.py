"""The messages of the benchmarks: sizes as mail has them (median 15 KB, mean 55 KB), names as SES gives them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_LINE = b"Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eir\r\n"
_DOTTED = b".a line that begins with a dot, as some do\r\n"


def messages(count: int) -> Iterator[tuple[str, bytes]]:
    """(name, message) pairs, the same ones each time."""
    chance = random.Random(20261121)
    for number in range(count):
        octets = size(chance)
        yield "".join(chance.choices(_ALPHABET, k=40)), message(number, octets)


def size(chance: random.Random) -> int:
    """A message's size: median 15 KB, mean 55 KB, at most 5 MB."""
    return int(min(5_000_000, max(600, chance.lognormvariate(9.6, 1.6))))


def message(number: int, size: int) -> bytes:
    """A message of about `size` octets, in CRLF form."""
    head = f"From: a@example.com\r\nTo: demo@example.com\r\nSubject: message {number}\r\nMessage-ID: <{number}@bench>\r\n\r\n"
    block = _LINE * 40 + _DOTTED
    body = block * (size // len(block) + 1)
    return (head.encode() + body)[: size - 2] + b"\r\n"


def upload(client: Any, bucket: str, prefix: str, count: int) -> int:
    """Store them in parallel; the octets of all."""

    def put(item: tuple[str, bytes]) -> int:
        client.put_object(Bucket=bucket, Key=prefix + item[0], Body=item[1])
        return len(item[1])

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(put, messages(count)))
