"""An HTTP proxy before an S3 server that fails as it is told: a process of its own, told over a control channel.

Requests are passed on as they are, signatures included; each has an upstream connection of its own. The control channel takes
lines of JSON: a list of rules replaces all rules before it; the answer is how many requests each of those was applied to.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.servers.ports import BEGINS, answers, free_ports, wait_until
from tests.servers.process import Guarded

_ROOT = Path(__file__).parents[2]
_HEAD = 64 * 1024
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)\r\n")
# Longer than anybody waits.
_STALL = 60
_RST = struct.pack("ii", 1, 0)
_REFUSALS = {
    "500": ("500 Internal Server Error", "InternalError"),
    "501": ("501 Not Implemented", "NotImplemented"),
    "503": ("503 Slow Down", "SlowDown"),
    "403": ("403 Forbidden", "AccessDenied"),
    "404": ("404 Not Found", "NoSuchKey"),
    "404-bucket": ("404 Not Found", "NoSuchBucket"),
}


@dataclass(frozen=True)
class Rule:
    """What happens to requests in which `request`, a regular expression, is found: in the first line, which ends in `` ranged``
    for a part of an object, a newline and the body.

    `fault`: ``500`` and so on, in place of an answer; ``refuse``: reset without passing the request on; ``reset``, ``short``
    (closed) and ``stall``: after `octets` of the answer's body, or before its head when `octets` is -1. The first rule that
    matches counts, `times` times and with this `chance`.
    """

    request: str
    fault: str
    octets: int = -1
    times: int = 1 << 30
    chance: float = 1.0


class FaultProxy:
    """A running proxy as seen from its owner."""

    def __init__(self, endpoint: str, control: int) -> None:
        self.endpoint = endpoint
        self._control = socket.create_connection(("127.0.0.1", control), 20)
        self._answers = self._control.makefile("rb")

    def fail(self, *rules: Rule) -> Sequence[int]:
        """From now on fail by these rules alone. Returns how often each of the last ones was applied."""
        self._control.sendall(json.dumps([asdict(rule) for rule in rules]).encode() + b"\n")
        applied: Sequence[int] = json.loads(self._answers.readline())
        return applied

    def close(self) -> None:
        self._answers.close()
        self._control.close()


@contextmanager
def before(endpoint: str) -> Iterator[FaultProxy]:
    """A proxy before the server at this endpoint, which passes everything on until it is told otherwise."""
    target = urlsplit(endpoint)
    port, control = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="sesmail-faults-") as directory:
        way = [str(port), str(control), str(target.hostname), str(target.port)]
        command = [sys.executable, "-m", "tests.servers.faultproxy", *way]
        process = Guarded(command, Path(directory) / "log", environment={**os.environ, "PYTHONPATH": str(_ROOT)})
        try:
            wait_until(lambda: answers(port) and answers(control), seconds=BEGINS, what=process.tail)
            proxy = FaultProxy(f"{target.scheme}://127.0.0.1:{port}", control)
            try:
                yield proxy
            finally:
                proxy.close()
        finally:
            process.stop()


class _Broken(Exception):
    """This connection is to be ended."""


class _Rules:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._rules: list[Rule] = []
        self._applied: list[int] = []

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(self._applied).encode() + b"\n")
            self._rules = [Rule(**rule) for rule in json.loads(line)]
            self._applied = [0] * len(self._rules)
        writer.close()

    def of(self, request: str) -> Rule | None:
        for number, rule in enumerate(self._rules):
            if re.search(rule.request, request) and self._applied[number] < rule.times and self._chance.random() < rule.chance:
                self._applied[number] += 1
                return rule
        return None


class _Proxy:
    def __init__(self, host: str, port: int, rules: _Rules) -> None:
        self._server = (host, port)
        self._rules = rules

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(_Broken, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                await self._exchange(reader, writer)
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"100-continue" in head.lower():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(_length(head) or 0)
        ranged = " ranged" if b"\r\nrange:" in head.lower() else ""
        rule = self._rules.of(head.split(b"\r\n", 1)[0].decode() + ranged + "\n" + body.decode(errors="replace"))
        if rule is not None and rule.fault == "refuse":
            _reset(writer)
        if rule is not None and rule.fault in _REFUSALS:
            writer.write(_refusal(*_REFUSALS[rule.fault], bodiless=head.startswith(b"HEAD ")))
            return
        upstream_reader, upstream = await asyncio.open_connection(*self._server, limit=_HEAD)
        try:
            upstream.write(
                re.sub(rb"(?i)\r\n(connection|expect): [^\r]*", b"", head)[:-2] + b"Connection: close\r\n\r\n" + body
            )
            await self._answer(upstream_reader, writer, rule)
        finally:
            upstream.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rule: Rule | None) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if rule is not None and rule.octets < 0:
            await _break(rule, writer)
        length = _length(head)
        writer.write(re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head) if length is not None else head)
        left = rule.octets if rule is not None else 1 << 62
        while data := await reader.read(min(65536, left)):
            writer.write(data)
            await writer.drain()
            left -= len(data)
        if rule is not None and not left:
            await _break(rule, writer)
        bodiless = head.split(b" ", 2)[1][:3] in (b"204", b"304")
        if length is None and not bodiless and b"chunked" not in head.lower():
            raise _Broken


async def _break(rule: Rule, writer: asyncio.StreamWriter) -> None:
    await writer.drain()
    if rule.fault == "stall":
        # The other side has enough of it before.
        await asyncio.sleep(_STALL)
    elif rule.fault == "reset":
        _reset(writer)
    raise _Broken


def _reset(writer: asyncio.StreamWriter) -> None:
    plain: Any = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    writer.transport.abort()
    raise _Broken


def _length(head: bytes) -> int | None:
    found = _LENGTH.search(head)
    return int(found[1]) if found else None


def _refusal(status: str, code: str, *, bodiless: bool) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as told</Message></Error>".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return head if bodiless else head + body


async def _main(port: int, control: int, host: str, server: int) -> None:
    rules = _Rules(random.Random(port))
    proxy = _Proxy(host, server, rules)
    await asyncio.start_server(rules.control, "127.0.0.1", control)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", port, limit=_HEAD, backlog=1000)
    await listening.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("control", type=int)
    arguments.add_argument("host")
    arguments.add_argument("server", type=int)
    asyncio.run(_main(**vars(arguments.parse_args())))
