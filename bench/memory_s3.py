"""An S3 server in memory for benchmarks: constant delay, checks nothing, keeps nothing, costs little.

A process of its own: ``python -m bench.memory_s3 PORT DELAY COUNT SIZE``. Buckets do not matter. A key that ends in ``passwd.txt``
holds the benchmark's user; behind every other prefix lie COUNT messages with names as SES gives them. SIZE is ``mail`` (median
15 KB, mean 55 KB) or a number of octets.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, unquote, urlsplit

from bench import corpus
from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded

USER, PASSWORD = "demo@bench.example", "benchmark"
_PASSWD = b"demo:" + hashlib.sha512(f"demo:{PASSWORD}".encode()).hexdigest().encode() + b"\n"
_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_KEY = re.compile(rb"<Key>[^<]*</Key>")


@contextmanager
def running(delay: float, count: int, size: str = "mail") -> Iterator[str]:
    """The endpoint of a server."""
    port = free_port()
    with TemporaryDirectory(prefix="sesmail-bench-") as directory:
        command = [sys.executable, "-m", "bench.memory_s3", str(port), str(delay), str(count), size]
        process = Guarded(command, Path(directory) / "log")
        try:
            wait_until(lambda: answers(port), seconds=60, what=process.tail)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stop()


class Shelf:
    """The messages: their names in order, their sizes, and one block that all bodies are cut from."""

    def __init__(self, count: int, size: str) -> None:
        chance = random.Random(count)
        self.names = sorted("".join(chance.choices(_ALPHABET, k=40)) for _ in range(count))
        self.sizes = {name: corpus.size(chance) if size == "mail" else int(size) for name in self.names}
        self.block = memoryview(corpus.message(0, max(self.sizes.values())))
        self._rows = [
            f"</Key><LastModified>2026-11-{1 + number % 28:02}T09:30:{number % 60:02}.000Z</LastModified><ETag>&quot;{number:032x}"
            f"&quot;</ETag><Size>{self.sizes[name]}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for number, name in enumerate(self.names)
        ]

    def page(self, query: dict[str, list[str]]) -> bytes:
        """A page of ListObjectsV2."""
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0].removeprefix(prefix)
        start = bisect_right(self.names, after)
        chosen = range(start, min(start + 1000, len(self.names)))
        rows = "".join(f"<Contents><Key>{prefix}{self.names[number]}{self._rows[number]}" for number in chosen)
        more = chosen.stop < len(self.names)
        token = f"<NextContinuationToken>{prefix}{self.names[chosen.stop - 1]}</NextContinuationToken>" if more else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        return f"<ListBucketResult>{truncated}{token}<KeyCount>{len(chosen)}</KeyCount>{rows}</ListBucketResult>".encode()

    def answer(self, target: str) -> tuple[bytes, bytes | memoryview]:
        """Head and body for a GET."""
        parts = urlsplit(target)
        if "list-type=2" in parts.query:
            query = parse_qs(parts.query)
            # Nobody here has folders in other cases.
            body: bytes | memoryview = b"<ListBucketResult></ListBucketResult>"
            if query["prefix"][0].endswith("/"):
                body = self.page(query)
        elif parts.path.endswith("passwd.txt"):
            body = _PASSWD
        else:
            # The end of the block: mail ends in a newline, and what does not has to be counted anew when it is sent.
            body = self.block[-self.sizes[unquote(parts.path).rpartition("/")[2]] :]
        return b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: %d\r\n\r\n' % len(body), body


class Caller(asyncio.Protocol):
    """One connection; a request at a time, as our clients send them."""

    def __init__(self, shelf: Shelf, delay: float) -> None:
        self._shelf = shelf
        self._delay = delay
        self._buffer = b""
        self._body = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method == "GET":
            self._buffer = rest
            self._later(*self._shelf.answer(target))
        elif len(rest) >= _length(head):
            asked, self._buffer = rest[: _length(head)], rest[_length(head) :]
            deleted = b"".join(b"<Deleted>" + key + b"</Deleted>" for key in _KEY.findall(asked))
            deleted = b"<DeleteResult>" + deleted + b"</DeleteResult>"
            self._later(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(deleted), deleted)

    def _later(self, head: bytes, body: bytes | memoryview) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._send, head, body)
        else:
            self._send(head, body)

    def _send(self, head: bytes, body: bytes | memoryview) -> None:
        if len(body) < 1 << 16:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def _serve(port: int, delay: float, count: int, size: str) -> None:
    shelf = Shelf(count, size)
    server = await asyncio.get_running_loop().create_server(lambda: Caller(shelf, delay), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("delay", type=float)
    arguments.add_argument("count", type=int)
    arguments.add_argument("size")
    asyncio.run(_serve(**vars(arguments.parse_args())))
