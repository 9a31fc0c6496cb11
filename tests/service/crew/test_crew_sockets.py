"""Sockets that the parent keeps and workers serve: here both are in one process."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.errors import Unavailable
from sesmail.service.crew.desk import Seat
from sesmail.service.crew.inherited import inherited
from sesmail.service.crew.sockets import Sockets, Wanted
from sesmail.service.listeners import listen_now
from tests.servers.ports import answers, free_port
from tests.service.tls import reactor


class Line:
    """Asks the sockets without a process between."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def fetch(self, name: str, *arguments: object) -> list[int]:
        handed: Any = self._sockets.calls[name][0](Seat(0, lambda *_: None), *arguments)
        return [os.dup(descriptor) for descriptor in handed.descriptors]


class Greeting(Factory):
    noisy = False

    def __init__(self, word: bytes) -> None:
        self.word = word
        self.greeted = 0

    def buildProtocol(self, addr: object) -> Protocol:
        self.greeted += 1
        protocol = Protocol()
        protocol.connectionMade = lambda: protocol.transport.write(self.word)  # type: ignore[method-assign, union-attr]
        return protocol


class SocketsTest(TestCase):
    def setUp(self) -> None:
        self.sockets = Sockets()
        self.addCleanup(self.sockets.close)
        self.port = free_port()
        self.path = Path(tempfile.mkdtemp()) / "socket"
        self.tcp, self.unix = f"tcp:{self.port}:interface=127.0.0.1", f"unix:{self.path}"

    def wanted(self, *descriptions: str) -> dict[str, Any]:
        wanted = Wanted(reactor)
        for description in descriptions:
            wanted(description, None, "600")
        return dict(wanted.endpoints)

    def worker(self, description: str, word: bytes = b"hello") -> tuple[Greeting, Any]:
        greeting = Greeting(word)
        port: Any = listen_now(inherited(reactor, Line(self.sockets))(description, None, "600"), greeting)  # type: ignore[arg-type]
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        return greeting, port

    def connected(self, description: str) -> socket.socket:
        client = socket.socket(socket.AF_UNIX if description == self.unix else socket.AF_INET)
        self.addCleanup(client.close)
        client.settimeout(20)
        client.connect(str(self.path) if description == self.unix else ("127.0.0.1", self.port))
        return client

    def kinds(self) -> Iterator[str]:
        for description in (self.tcp, self.unix):
            self.sockets.open(self.wanted(self.tcp, self.unix))
            yield description

    async def test_who_connects_before_a_worker_is_there_is_served_by_the_first_that_comes(self) -> None:
        for description in self.kinds():
            client = self.connected(description)
            self.worker(description)
            self.assertEqual(await deferToThread(client.recv, 5), b"hello")

    async def test_a_worker_that_ends_leaves_the_socket_to_the_others(self) -> None:
        for description in self.kinds():
            _, first = self.worker(description)
            await maybeDeferred(first.stopListening)
            client = self.connected(description)
            self.worker(description)
            self.assertEqual(await deferToThread(client.recv, 5), b"hello")

    async def test_workers_take_turns_when_many_come_at_once(self) -> None:
        for description in self.kinds():
            clients = [self.connected(description) for _ in range(40)]
            greetings = [self.worker(description)[0] for _ in range(2)]
            for client in clients:
                await deferToThread(client.recv, 5)
            self.assertEqual([greeting.greeted for greeting in greetings], [20, 20])

    async def test_a_socket_that_is_not_wanted_any_more_is_closed_and_the_others_stay(self) -> None:
        self.sockets.open(self.wanted(self.tcp, self.unix))
        self.sockets.keep(self.wanted(self.unix))
        await maybeDeferred(self.sockets.close, [])
        self.assertTrue(self.path.exists())
        self.connected(self.unix)
        await deferToThread(lambda: None)
        self.assertFalse(answers(self.port))

    def test_one_port_that_is_taken_opens_none_and_is_named(self) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            with self.assertRaisesRegex(Unavailable, taken):
                self.sockets.open(self.wanted(taken))
        with self.assertRaises(Unavailable):
            Line(self.sockets).fetch("socket", taken)

    def test_a_socket_that_nobody_opened_is_not_handed_out(self) -> None:
        with self.assertRaises(Unavailable):
            Line(self.sockets).fetch("socket", self.tcp)
