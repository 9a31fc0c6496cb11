"""Long answers: who reads none of them does not have them piled up for him."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.protocols.limits import Connections
from sesmail.web.answers import Answer, Head
from sesmail.web.site import Site
from tests.web.doorhouse import Client, reactor, request, until

_LONG = b"x" * (4 << 20)


class LongDoor:
    """Answers everything with four MiB."""

    longest = 1000

    def __init__(self) -> None:
        self.asked = 0

    def refusal(self, head: Head) -> Answer | None:
        return None

    async def answer(self, head: Head, body: bytes) -> Answer:
        self.asked += 1
        return Answer(200, (("Content-Type", "text/plain"),), body=_LONG)


class Taking(TestCase):
    def serve(self, **options: Any) -> None:
        self.door = LongDoor()
        self.site = Site(self.door, Connections(10, 10), clock=reactor, **options)
        listening = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.port = listening.getHost().port
        self.addCleanup(lambda: Deferred.fromCoroutine(self.site.drain(0.2)))
        self.addCleanup(listening.stopListening)

    async def test_the_next_request_waits_until_the_answer_before_is_on_its_way(self) -> None:
        self.serve()
        client = Client(self.port)
        self.addCleanup(client.socket.close)
        client.send(request("GET") * 5)
        await until(lambda: self.door.asked)
        await deferToThread(time.sleep, 0.3)
        self.assertEqual(self.door.asked, 1)

        def read() -> int:
            return sum(len(client.answer()) > len(_LONG) for _ in range(5))

        self.assertEqual(await deferToThread(read), 5)
        self.assertEqual(self.door.asked, 5)

    async def test_who_takes_too_long_is_cut_off(self) -> None:
        self.serve(taking=0.3)
        client = Client(self.port)
        self.addCleanup(client.socket.close)
        client.send(request("GET") * 5)
        await until(lambda: self.door.asked)
        await until(lambda: not self.site.channels)
        self.assertEqual(self.door.asked, 1)

    async def test_who_leaves_in_the_middle_of_an_answer_is_forgotten(self) -> None:
        self.serve()
        client = Client(self.port)
        client.send(request("GET") * 5)
        await until(lambda: self.door.asked)
        client.socket.close()
        await until(lambda: not self.site.channels)
        self.assertEqual(self.door.asked, 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_the_last_answer_comes_whole(self) -> None:
        self.serve(requests=2, parting=0.2)
        client = Client(self.port)
        self.addCleanup(client.socket.close)
        client.send(request("GET") * 3)

        def read() -> list[int]:
            lengths = [len(client.answer())]
            time.sleep(0.5)
            return [*lengths, len(client.answer())]

        lengths = await deferToThread(read)
        self.assertGreater(min(lengths), len(_LONG))
        self.assertTrue(await deferToThread(client.ended))
        self.assertEqual(self.door.asked, 2)
