"""Whatever comes over the line: it is answered or hung up on in time, nothing is taken, nothing is logged as a bug, and the next is served."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.aws.snssigner import body
from tests.web.doorhouse import BASIC, LOGIN, House, post, request

_ROUNDS = 150
_SITE = {"reading": 0.3, "idle": 0.3, "parting": 0.2}
_PIECES = [
    b"GET / HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\n",
    b"HEAD / HTTP/1.0\r\n",
    b"POST /\xff?%00 HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"Host: x\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: +5\r\n",
    b"content-length : 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    f"Authorization: {BASIC}\r\n".encode(),
    b"Authorization: Basic\r\n",
    b"x-amz-sns-message-type: Notification\r\n",
    b" folded\r\n",
    b"\tfolded\r\n",
    b": nameless\r\n",
    b"Na\x00me: \x00\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"-1\r\n",
    b"fffffffffffffffff\r\n",
    b'{"Type":"Notification"}',
    b"\x16\x03\x01",
    b"\x00" * 100,
    b"A" * 5000,
]
_ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x" * 3000,
    "\ud800",
    "\r\n",
    "\x00",
    [],
    {},
    [[]] * 50,
    "2026-13-99T99:99:99Z",
]


class Fuzz(TestCase):
    async def still_serves(self, house: House) -> None:
        self.assertEqual(await house.post(house.signer.notification("good"), basic=BASIC), 200)
        self.assertEqual(house.taken, ["good"])
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_requests(self) -> None:
        house = House(self, login=LOGIN, longest=100_000, site=_SITE)
        chance = random.Random(7)

        def talk() -> None:
            for _ in range(_ROUNDS):
                sent = b"".join(chance.choices(_PIECES, k=chance.randint(1, 12)))
                with house.client() as client, contextlib.suppress(ConnectionError):
                    client.send(sent)
                    while answer := client.socket.recv(65536):
                        self.assertRegex(answer, rb"\A(HTTP/1\.1 [1-5]\d\d |[^\x00-\x08]*\Z)")

        with self.assertNoLogs("sesmail.web.channel", "ERROR"):
            await deferToThread(talk)
        await self.still_serves(house)

    async def test_requests_that_are_cut_and_joined_anywhere(self) -> None:
        house = House(self, login=LOGIN)
        message = house.signer.notification("good")
        sent = b"".join([post(message), post(message, basic=BASIC), request("GET", {"Authorization": BASIC})])
        chance = random.Random(8)

        def talk() -> None:
            for _ in range(20):
                cuts = sorted(chance.sample(range(len(sent)), 6))
                with house.client() as client:
                    for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
                        client.send(sent[begin:end])
                    self.assertEqual([client.status() for _ in range(3)], [401, 200, 200])

        await deferToThread(talk)
        self.assertEqual(house.taken, ["good"])

    async def test_documents(self) -> None:
        house = House(self, login=LOGIN)
        chance = random.Random(9)
        signer = house.signer

        def document() -> bytes:
            said: dict[str, Any] = chance.choice([signer.notification, lambda _: signer.confirmation()])("x")
            for name in chance.sample(sorted(said), chance.randint(1, 3)):
                said[name] = chance.choice(_ODD)
            octets = json.dumps(said).encode()
            return octets if chance.random() < 0.8 else octets[: chance.randrange(len(octets))]

        def talk() -> set[int]:
            seen = set()
            with house.client() as client:
                for _ in range(_ROUNDS):
                    client.send(request("POST", {"Authorization": BASIC}, document()))
                    seen.add(client.status())
            return seen

        with self.assertNoLogs("sesmail", "ERROR"):
            self.assertLessEqual(await deferToThread(talk), {200, 400, 403})
        self.assertEqual(house.confirmed, [])
        house.taken.clear()
        await self.still_serves(house)

    async def test_documents_of_the_largest_size(self) -> None:
        house = House(self)
        most = house.door.longest
        documents = [b"[" * most, b'{"a":' * (most // 5), b'"' + b"x" * (most - 2) + b'"', b"9" * most, b" " * most]
        documents.append(body({**house.signer.notification("x"), "Message": "m" * (most - 2000)}))

        def talk() -> list[int]:
            with house.client() as client:
                seen = []
                for document in documents:
                    client.send(request("POST", {}, document))
                    seen.append(client.status())
                return seen

        self.assertEqual(await deferToThread(talk), [400, 400, 400, 400, 400, 403])
        await self.still_serves(house)
