"""What goes over the line, octet by octet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.web.doorhouse import BASIC, LOGIN, Client, House, post, reactor, request, said

OK = said("200 OK")
UNAUTHORIZED = ("401 Unauthorized", 'WWW-Authenticate: Basic realm="sns"')


class Dialogs(TestCase):
    async def talk(self, house: House, talk: Callable[[Client], Any]) -> Any:
        def talked() -> Any:
            with house.client() as client:
                return talk(client)

        return await deferToThread(talked)

    async def one(self, house: House, octets: bytes) -> tuple[str, bool]:
        """The answer to what is sent, and whether the connection is then at its end."""

        def talk(client: Client) -> tuple[str, bool]:
            client.send(octets)
            answer = client.answer()
            return answer, "Connection: close" in answer and client.ended()

        answered: tuple[str, bool] = await self.talk(house, talk)
        return answered

    async def refused(self, octets: bytes, code: str, *headers: str, **options: Any) -> None:
        house = House(self, **options)
        self.assertEqual(await self.one(house, octets), (said(code, *headers, close=True), True))
        self.assertEqual(house.taken, [])
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_a_probe_is_answered(self) -> None:
        def talk(client: Client) -> list[str]:
            client.send(request("GET", {"Host": "localhost"}))
            first = client.answer()
            client.send(request("HEAD", {"Host": "localhost"}))
            second = client.answer(bare=True)
            client.send(request("GET", path="/?any=query"))
            return [first, second, client.answer()]

        self.assertEqual(await self.talk(House(self), talk), [OK, said("200 OK", bare=True), OK])

    async def test_sns_comes_without_its_login_at_first_and_hears_how_to_give_it(self) -> None:
        house = House(self, login=LOGIN)
        message = house.signer.notification("{}")

        def talk(client: Client) -> list[str]:
            client.send(post(message))
            first = client.answer()
            client.send(post(message, basic=BASIC))
            return [first, client.answer()]

        self.assertEqual(await self.talk(house, talk), [said(*UNAUTHORIZED), OK])
        self.assertEqual(house.taken, ["{}"])

    async def test_probes_need_the_login_too(self) -> None:
        def talk(client: Client) -> list[str]:
            client.send(request("HEAD"))
            first = client.answer(bare=True)
            client.send(request("GET", {"Authorization": BASIC.replace("Basic", "bASIC")}))
            return [first, client.answer()]

        self.assertEqual(await self.talk(House(self, login=LOGIN), talk), [said(*UNAUTHORIZED, bare=True), OK])

    async def test_a_wrong_login_costs_the_connection(self) -> None:
        for wrong in ("Basic c25zOmdlaGVpbA==", "Basic", "Basic \xff", "Bearer c25zOmdlaGVpbQ==", f"{BASIC}x", ""):
            with self.subTest(wrong):
                sent = request("GET", {"Authorization": wrong})
                await self.refused(sent, *UNAUTHORIZED, login=LOGIN)

    async def test_octets_that_are_no_text_are_a_wrong_login_too(self) -> None:
        for wrong in (b"Basic \xff\xfe", b"\xff"):
            await self.refused(b"GET / HTTP/1.1\r\nAuthorization: " + wrong + b"\r\n\r\n", *UNAUTHORIZED, login=LOGIN)
        named = b"POST / HTTP/1.1\r\nExpect: \xff\r\nX-Amz-Sns-Message-Type: \xff\r\nContent-Length: 2\r\n\r\n{}"
        self.assertEqual(await self.one(House(self), named), (said("400 Bad Request"), False))

    async def test_two_logins_are_none(self) -> None:
        twice = f"GET / HTTP/1.1\r\nAuthorization: {BASIC}\r\nAuthorization: {BASIC}\r\n\r\n".encode()
        await self.refused(twice, *UNAUTHORIZED, login=LOGIN)

    async def test_there_is_one_path_and_three_methods(self) -> None:
        def talk(client: Client) -> list[str]:
            client.send(request("POST", {}, b"{}", path="/other"))
            first = client.answer()
            client.send(request("PUT", {}, b"{}", path="/mail"))
            second = client.answer()
            client.send(request("GET", path="/mail"))
            return [first, second, client.answer()]

        found = await self.talk(House(self, path="/mail"), talk)
        self.assertEqual(found, [said("404 Not Found"), said("405 Method Not Allowed", "Allow: GET, HEAD, POST"), OK])

    async def test_what_is_no_message_of_sns_is_refused(self) -> None:
        def talk(client: Client) -> list[str]:
            answers = []
            for octets in (b"", b"{}", b"\xff", b"[" * 10000, b'{"Type":"Notification"}'):
                client.send(request("POST", {}, octets))
                answers.append(client.answer())
            client.send(request("POST"))
            return [*answers, client.answer()]

        self.assertEqual(await self.talk(House(self), talk), [said("400 Bad Request")] * 6)

    async def test_a_length_over_the_bound_is_refused_without_reading(self) -> None:
        for login in (None, LOGIN):
            sent = {"Content-Length": "1001"} | ({"Authorization": BASIC} if login else {})
            await self.refused(request("POST", sent), "413 Content Too Large", longest=1000, login=login)

    async def test_whoever_gives_no_login_is_refused_whatever_he_would_send(self) -> None:
        await self.refused(request("POST", {"Content-Length": "9" * 30}), *UNAUTHORIZED, longest=1000, login=LOGIN)
        await self.refused(request("POST", {"Transfer-Encoding": "chunked"}), *UNAUTHORIZED, login=LOGIN)

    async def test_a_body_in_chunks_is_taken_up_to_the_bound(self) -> None:
        house = House(self, longest=3000)
        octets = post(house.signer.notification("{}")).partition(b"\r\n\r\n")[2]
        chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in (octets[:7], octets[7:]))
        sent = request("POST", {"Transfer-Encoding": "chunked"}) + chunks + b"0\r\n\r\n"
        self.assertEqual(await self.one(house, sent), (OK, False))
        self.assertEqual(house.taken, ["{}"])
        begun = request("POST", {"Transfer-Encoding": "chunked"}) + b"ffffffff\r\n" + b"x" * 3001
        await self.refused(begun, "413 Content Too Large", longest=3000)

    async def test_chunks_that_are_all_wrapping_are_bounded_too(self) -> None:
        begun = request("POST", {"Transfer-Encoding": "chunked"}) + b"1\r\nx\r\n" * 10_000
        await self.refused(begun, "413 Content Too Large", longest=15_000)
        trailers = request("POST", {"Transfer-Encoding": "chunked"}) + b"0\r\n" + b"X-Y: z\r\n" * 3000
        await self.refused(trailers, "413 Content Too Large", longest=1000)

    async def test_what_breaks_the_rules_of_http_is_refused_once(self) -> None:
        cases = [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            request("POST", {"Content-Length": "-1"}),
            request("POST", {"Content-Length": "1 1"}),
            request("POST", {"Content-Length": "9" * 4090}),
            request("POST", {"Content-Length": "2", "Transfer-Encoding": "chunked"}),
            request("POST", {"Transfer-Encoding": "gzip"}),
            b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
            request("POST", {"Transfer-Encoding": "chunked"}) + b"g\r\n",
        ]
        for octets in cases:
            with self.subTest(octets[:60]):
                await self.refused(octets, "400 Bad Request")

    async def test_heads_are_bounded(self) -> None:
        await self.refused(request("GET", path="/" + "a" * 5000), "400 Bad Request")
        await self.refused(b"G" * 5000, "400 Bad Request")
        await self.refused(request("GET", {f"X-{n}": "y" for n in range(101)}), "400 Bad Request")
        await self.refused(request("GET", {f"X-{n}": "y" * 1000 for n in range(20)}), "400 Bad Request")
        await self.refused(b"GET / HTTP/1.1\r\nX: y\r\n" + b" folded\r\n" * 3000 + b"\r\n", "400 Bad Request")

    async def test_versions_that_are_not_ours_are_not_echoed(self) -> None:
        await self.refused(b"GET / HTTP/2.0\r\n\r\n", "400 Bad Request")
        await self.refused(b"GET / <script>\r\n\r\n", "400 Bad Request")

    async def test_one_dot_zero_and_close_end_the_connection(self) -> None:
        for octets in (b"GET / HTTP/1.0\r\n\r\n", request("GET", {"Connection": "close"})):
            self.assertEqual(await self.one(House(self), octets), (said("200 OK", close=True), True))

    async def test_who_asks_before_sending_hears_at_once(self) -> None:
        house = House(self, longest=3000, login=LOGIN)
        head, _, octets = post(house.signer.notification("{}"), basic=BASIC).partition(b"\r\n\r\n")

        def talk(client: Client) -> str:
            client.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
            first = client.answer()
            client.send(octets)
            return first + client.answer()

        self.assertEqual(await self.talk(house, talk), "HTTP/1.1 100 Continue\r\n\r\n" + OK)
        asked = request("POST", {"Content-Length": "10", "Expect": "100-continue"})
        await self.refused(asked, *UNAUTHORIZED, longest=3000, login=LOGIN)

    async def test_what_is_sent_ahead_is_answered_in_its_turn(self) -> None:
        house = House(self)
        first, second = (house.signer.notification(text) for text in ("first", "second"))
        go: Deferred[None] = Deferred()

        async def taking(text: str) -> None:
            if text == "first":
                await go

        house.taking = taking
        sent = [post(first), post(second), request("GET", path="/x"), post({**first, "Type": "x"}), request("GET")]

        def talk(client: Client) -> list[str]:
            client.send(b"".join(sent))
            reactor.callFromThread(reactor.callLater, 0.2, go.callback, None)
            return [client.answer() for _ in sent]

        expected = [OK, OK, said("404 Not Found"), said("400 Bad Request"), OK]
        self.assertEqual(await self.talk(house, talk), expected)
        self.assertEqual(house.taken, ["first", "second"])

    async def test_a_thousand_requests_sent_ahead_are_answered_in_turn_and_then_it_is_over(self) -> None:
        def talk(client: Client) -> tuple[set[str], str, bool]:
            client.send(request("GET") * 2000)
            return {client.answer() for _ in range(999)}, client.answer(), client.ended()

        self.assertEqual(await self.talk(House(self), talk), ({OK}, said("200 OK", close=True), True))
