"""One queue of SQS in memory for benchmarks: constant delay, no signatures checked, nothing kept, costs little.

A process of its own: ``python -m bench.memory_sqs PORT DELAY``. Any queue URL means the one queue. JSON only, which botocore speaks
since 1.31.81 (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded

_VISIBILITY = 30


@contextmanager
def running(delay: float) -> Iterator[str]:
    """The endpoint of a server; with any path behind it, the queue's URL."""
    port = free_port()
    with TemporaryDirectory(prefix="sesmail-bench-") as directory:
        command = [sys.executable, "-m", "bench.memory_sqs", str(port), str(delay)]
        process = Guarded(command, Path(directory) / "log")
        try:
            wait_until(lambda: answers(port), seconds=60, what=process.tail)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stop()


@dataclass
class _Message:
    id: str
    body: str
    count: int = 0
    receipt: str = ""
    until: float = 0.0


class Queue:
    """The messages: those that wait, and by their receipts those that somebody has."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._waiting: deque[_Message] = deque()
        self._taken: dict[str, _Message] = {}
        self._came = asyncio.Condition()

    async def answer(self, operation: str, asked: dict[str, Any], gone: Callable[[], bool]) -> dict[str, Any]:
        """What one request is answered. `gone`: whether nobody waits for the answer any more."""
        if operation == "ReceiveMessage":
            return await self._receive(asked, gone)
        change = {
            "SendMessageBatch": self._send,
            "DeleteMessageBatch": self._delete,
            "ChangeMessageVisibilityBatch": self._keep,
        }[operation]
        for entry in asked["Entries"]:
            change(entry)
        async with self._came:
            self._came.notify_all()
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    async def _receive(self, asked: dict[str, Any], gone: Callable[[], bool]) -> dict[str, Any]:
        with suppress(TimeoutError):
            async with asyncio.timeout(asked.get("WaitTimeSeconds", 0)), self._came:
                await self._came.wait_for(lambda: gone() or self._has_any())
        # What a gateway that was killed is given nobody else gets for two minutes.
        most = 0 if gone() else min(asked.get("MaxNumberOfMessages", 1), len(self._waiting))
        until = time.monotonic() + asked.get("VisibilityTimeout", _VISIBILITY)
        return {"Messages": [self._take(self._waiting.popleft(), until) for _ in range(most)]}

    def _has_any(self) -> bool:
        if not self._waiting:
            for message in [one for one in self._taken.values() if one.until <= time.monotonic()]:
                self._waiting.append(self._taken.pop(message.receipt))
        return bool(self._waiting)

    def _take(self, message: _Message, until: float) -> dict[str, Any]:
        message.receipt, message.until = str(next(self._numbers)), until
        message.count += 1
        self._taken[message.receipt] = message
        counted = {"ApproximateReceiveCount": str(message.count)}
        return {"MessageId": message.id, "ReceiptHandle": message.receipt, "Body": message.body, "Attributes": counted}

    def _send(self, entry: dict[str, Any]) -> None:
        self._waiting.append(_Message(str(next(self._numbers)), entry["MessageBody"]))

    def _delete(self, entry: dict[str, Any]) -> None:
        self._taken.pop(entry["ReceiptHandle"], None)

    def _keep(self, entry: dict[str, Any]) -> None:
        if message := self._taken.get(entry["ReceiptHandle"]):
            message.until = time.monotonic() + entry["VisibilityTimeout"]


async def _talk(queue: Queue, delay: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head.decode().splitlines()[1:] if line)
            asked = json.loads(await reader.readexactly(int(fields["content-length"])))
            await asyncio.sleep(delay)
            # Names of operations are the one thing here in capitals.
            operation = head.partition(b"AmazonSQS.")[2].partition(b"\r\n")[0].decode()
            body = json.dumps(await queue.answer(operation, asked, reader.at_eof)).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            writer.write(body)
    writer.close()


async def _serve(port: int, delay: float) -> None:
    queue = Queue()
    server = await asyncio.start_server(lambda reader, writer: _talk(queue, delay, reader, writer), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("delay", type=float)
    asyncio.run(_serve(**vars(arguments.parse_args())))
