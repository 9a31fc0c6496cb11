"""A TCP proxy that makes a server look far away: what a client sends arrives `delay` later, answers come back at once.

So every request of an HTTP connection costs one delay more, however large it is, and connections do not slow each other. It
runs as a process of its own: its work must not be measured as the gateway's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.ports import BEGINS, answers, free_port, wait_until
from tests.servers.process import Guarded

_ROOT = Path(__file__).parents[2]


@contextmanager
def delayed(endpoint: str, delay: float) -> Iterator[str]:
    """An endpoint (``http://127.0.0.1:port``) that leads to `endpoint`, each request `delay` seconds later."""
    target, port = urlsplit(endpoint), free_port()
    with tempfile.TemporaryDirectory(prefix="sesmail-proxy-") as directory:
        way = [str(port), str(target.hostname), str(target.port), str(delay)]
        command = [sys.executable, "-m", "tests.servers.proxy", *way]
        process = Guarded(command, Path(directory) / "log", environment={**os.environ, "PYTHONPATH": str(_ROOT)})
        try:
            wait_until(lambda: answers(port), seconds=BEGINS, what=process.tail)
            yield f"{target.scheme}://127.0.0.1:{port}"
        finally:
            process.stop()


class Side(asyncio.Protocol):
    """One side of a proxied connection: what it receives goes out on the `other` side, `delay` seconds later."""

    other: Side

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._under_way: deque[tuple[float, bytes | None]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._pass_on(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pass_on(None)

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def _pass_on(self, data: bytes | None) -> None:
        if not self._delay:
            self._arrive(data)
            return
        loop = asyncio.get_running_loop()
        self._under_way.append((loop.time() + self._delay, data))
        if len(self._under_way) == 1:
            loop.call_at(self._under_way[0][0], self._due)

    def _due(self) -> None:
        # One timer for the whole queue: the loop does not promise the order of timers that fall due together.
        loop = asyncio.get_running_loop()
        while self._under_way and self._under_way[0][0] <= loop.time():
            self._arrive(self._under_way.popleft()[1])
        if self._under_way:
            loop.call_at(self._under_way[0][0], self._due)

    def _arrive(self, data: bytes | None) -> None:
        if data is None:
            self.other.transport.close()
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)


class Caller(Side):
    """The client's side. It is not read before the server has been reached."""

    def __init__(self, host: str, port: int, delay: float) -> None:
        super().__init__(delay)
        self._server = (host, port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self._reaching = asyncio.ensure_future(self._reach())

    async def _reach(self) -> None:
        server = Side(0)
        server.other = self
        try:
            await asyncio.get_running_loop().create_connection(lambda: server, *self._server)
        except OSError:
            self.transport.abort()
            return
        self.other = server
        if self.transport.is_closing():
            server.transport.close()
        else:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if hasattr(self, "other"):
            super().connection_lost(exc)


async def _serve(listen: int, host: str, port: int, delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Caller(host, port, delay), "127.0.0.1", listen)
    await server.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("listen", type=int)
    arguments.add_argument("host")
    arguments.add_argument("port", type=int)
    arguments.add_argument("delay", type=float)
    asyncio.run(_serve(**vars(arguments.parse_args())))
