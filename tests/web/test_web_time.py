"""Nobody holds up anybody else: not by silence, not slowly, not by numbers. Seconds are made short where they are waited for."""

from __future__ import annotations

import contextlib
import resource
import ssl
import time
from contextlib import ExitStack
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.service.certificates import CertificateStore
from sesmail.service.keypair import Pair
from sesmail.service.presented import today
from tests.servers.certificates import Authority
from tests.service.tls import shown, temporary, trusting
from tests.web.doorhouse import House, later, post, request, said, until

SHORT = {"reading": 0.5, "idle": 0.5, "parting": 0.3}


class Time(TestCase):
    async def test_a_request_must_come_in_time_however_it_trickles(self) -> None:
        house = House(self, site={**SHORT, "idle": 60.0})
        sent = post(house.signer.notification("{}"))

        def trickle(octets: bytes) -> tuple[str, float]:
            with house.client() as client:
                began = time.monotonic()
                client.socket.settimeout(0.05)
                for octet in octets:
                    client.send(bytes([octet]))
                    try:
                        client._more()
                    except TimeoutError:
                        continue
                    break
                client.socket.settimeout(10)
                return client.answer(), time.monotonic() - began

        for octets in (sent, sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + b"{" * 1000):
            answer, took = await deferToThread(trickle, octets)
            self.assertEqual(answer, said("408 Request Timeout", close=True))
            self.assertLess(took, 5)
        self.assertEqual(house.taken, [])

    async def test_a_connection_on_which_nothing_begins_is_closed(self) -> None:
        house = House(self, site=SHORT)

        def talk() -> list[bool]:
            with house.client() as silent, house.client() as kept:
                kept.send(request("GET"))
                kept.answer()
                return [silent.ended(), kept.ended()]

        self.assertEqual(await deferToThread(talk), [True, True])

    async def test_the_time_of_the_work_is_not_that_of_the_sender(self) -> None:
        house = House(self, site=SHORT)
        go: Deferred[None] = Deferred()
        house.taking = lambda _: go
        answered = Deferred.fromCoroutine(house.post(house.signer.notification("{}")))
        await later(1.2)
        go.callback(None)
        self.assertEqual(await answered, 200)

    async def test_who_was_told_goodbye_and_stays_is_cut_off(self) -> None:
        house = House(self, site=SHORT)

        def talk() -> int:
            with house.client() as client:
                client.send(request("POST", {"Content-Length": str(10**9)}))
                status = client.status()
                sent = 0
                try:
                    while True:
                        client.send(b"x" * 65536)
                        sent += 65536
                except OSError:
                    return status

        self.assertEqual(await deferToThread(talk), 413)
        self.assertEqual(house.site.channels, set())

    async def test_an_answer_is_read_even_by_who_sends_on(self) -> None:
        """A connection that is closed with octets unread is reset, and the answer is lost on the way."""
        house = House(self, longest=1000)

        def talk() -> str:
            with house.client() as client:
                client.send(request("POST", {"Content-Length": "400000"}) + b"x" * 400_000)
                time.sleep(0.2)
                return client.answer()

        for _ in range(5):
            self.assertEqual(await deferToThread(talk), said("413 Content Too Large", close=True))

    async def test_whoever_reads_no_answers_is_not_answered_for_ever(self) -> None:
        house = House(self, site=SHORT)

        def talk() -> bool:
            until = time.monotonic() + 8
            with house.client() as client:
                try:
                    while time.monotonic() < until:
                        client.send(request("GET") * 5000)
                except OSError:
                    return True
                return False

        self.assertTrue(await deferToThread(talk))
        await until(lambda: not house.site.channels)


class Limits(TestCase):
    async def test_there_are_so_many_connections_from_one_address_and_no_more(self) -> None:
        house = House(self, per_address=2)

        def talk() -> list[Any]:
            with house.client() as one, house.client() as two, house.client() as three:
                refused = three.ended()
                for client in (one, two):
                    client.send(request("GET", {"Connection": "close"}))
                found = [refused, one.status(), two.status(), one.ended(), two.ended()]
            with house.client() as four:
                four.send(request("GET"))
                return [*found, four.status()]

        self.assertEqual(await deferToThread(talk), [True, 200, 200, True, True, 200])

    async def test_a_thousand_connections_are_bounded_and_leave_nothing(self) -> None:
        house = House(self, total=300, per_address=300)

        def crowd() -> tuple[int, int]:
            with ExitStack() as all_of_them:
                clients = []
                for _ in range(1000):
                    with contextlib.suppress(ConnectionError):
                        clients.append(all_of_them.enter_context(house.client()))
                most = len(house.site.channels)
                for client in clients:
                    client.socket.settimeout(0.01)
                served = 0
                for client in clients:
                    try:
                        client.send(request("GET"))
                        client.socket.settimeout(1)
                        served += client.status() == 200
                    except (OSError, EOFError):
                        continue
                return most, served

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        most, served = await deferToThread(crowd)
        self.assertLessEqual(most, 300)
        self.assertEqual(served, 300)
        await until(lambda: not house.site.channels)
        self.assertTrue(house.connections.enter("127.0.0.1"))

    async def test_all_bodies_together_are_bounded(self) -> None:
        house = House(self, site={"memory": 10_000})

        def talk() -> list[int]:
            with house.client() as one, house.client() as two, house.client() as three:
                for client in (one, two):
                    client.send(request("POST", {"Content-Length": "5000"}) + b"x" * 4999)
                while house.site.held < 9998:
                    time.sleep(0.01)
                three.send(request("POST", {}, b"xxx"))
                statuses = [three.status()]
                one.send(b"x")
                statuses.append(one.status())
                two.socket.close()
                while house.site.held:
                    time.sleep(0.01)
            with house.client() as four:
                four.send(request("POST", {}, b"x" * 10_000))
                return [*statuses, four.status()]

        self.assertEqual(await deferToThread(talk), [503, 400, 400])
        self.assertEqual(house.site.held, 0)


class Tls(TestCase):
    def setUp(self) -> None:
        self.folder = temporary(self)
        self.authority = Authority(self.folder)
        self.issued = self.authority.issue("localhost")
        self.trust = trusting(self.authority.certificate)
        self.store = CertificateStore([Pair(self.issued.certificate, self.issued.key)], today)

    async def test_silence_before_the_handshake_holds_up_nobody(self) -> None:
        house = House(self, tls=self.store, site={**SHORT, "idle": 1.0})
        message = house.signer.notification("{}")

        def talk() -> tuple[int, float, list[bool]]:
            with ExitStack() as open_ones:
                silent = [open_ones.enter_context(house.client()) for _ in range(50)]
                silent[0].send(b"\x16\x03\x01\x02\x00\x01")
                began = time.monotonic()
                with house.client(self.trust) as client:
                    client.send(post(message))
                    status = client.status()
                took = time.monotonic() - began
                return status, took, [one.ended() for one in silent]

        status, took, ended = await deferToThread(talk)
        self.assertEqual((status, house.taken, all(ended)), (200, ["{}"], True))
        self.assertLess(took, 0.9)

    async def test_a_refusal_reaches_its_reader_through_tls_too(self) -> None:
        house = House(self, tls=self.store, longest=1000, site=SHORT)

        def talk() -> tuple[str, bool]:
            with house.client(self.trust) as client:
                client.send(request("POST", {"Content-Length": "300000"}) + b"x" * 300_000)
                time.sleep(0.2)
                return client.answer(), client.ended()

        self.assertEqual(await deferToThread(talk), (said("413 Content Too Large", close=True), True))

    async def test_a_renewed_certificate_is_shown_from_the_next_connection_on(self) -> None:
        house = House(self, tls=self.store)

        def seen() -> int:
            with house.client(self.trust) as client:
                assert isinstance(client.socket, ssl.SSLSocket)
                client.send(request("GET"))
                assert client.status() == 200
                return shown(client.socket).serial

        first = await deferToThread(seen)
        renewed = self.authority.issue("localhost")
        self.issued.certificate.write_bytes(renewed.certificate.read_bytes())
        self.issued.key.write_bytes(renewed.key.read_bytes())
        self.store.refresh()
        second = await deferToThread(seen)
        self.assertNotEqual(first, second)


class Drain(TestCase):
    async def test_a_stop_waits_for_answers_that_are_owed_and_for_nobody_else(self) -> None:
        house = House(self, site=SHORT)
        go: Deferred[None] = Deferred()
        house.taking = lambda _: go
        idle = await deferToThread(house.client)
        answered = Deferred.fromCoroutine(house.post(house.signer.notification("{}")))
        await until(lambda: len(house.site.channels) == 2 and any(not one.idle for one in house.site.channels))
        drained = Deferred.fromCoroutine(house.site.drain(5))
        self.assertTrue(await deferToThread(idle.ended))
        idle.socket.close()
        self.assertFalse(drained.called)
        go.callback(None)
        self.assertEqual(await answered, 200)
        await drained

    async def test_a_stop_does_not_wait_for_ever(self) -> None:
        house = House(self)
        go: Deferred[None] = Deferred()
        house.taking = lambda _: go
        client = await deferToThread(house.client)
        client.send(post(house.signer.notification("{}")))
        await until(lambda: any(not one.idle for one in house.site.channels))
        await Deferred.fromCoroutine(house.site.drain(0.2))
        self.assertTrue(await deferToThread(client.ended))
        client.socket.close()
        self.assertEqual(house.site.channels, set())
        go.callback(None)
