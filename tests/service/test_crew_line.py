"""The line between a worker and its parent: every call has its own answer, soon or never, whatever the other end does."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.errors import Busy, Limited, MailError, Malformed, Unavailable
from sesmail.service.crew import channel, messages
from sesmail.service.crew.channel import Channel, pair
from sesmail.service.crew.desk import Desk, Handed, Seat, serve
from sesmail.service.crew.line import Line
from sesmail.service.crew.orders import Ordering, Orders


class Counting:
    """A service of the desk that shows what came to it."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.calls: dict[str, tuple[Callable[..., object], tuple[type, ...]]] = {
            "double": (lambda seat, number: number * 2, (int,)),
            "echo": (lambda seat, text: text, (str,)),
            "half": (lambda seat, number: number / 2, (float,)),
            "who": (lambda seat: seat.number, ()),
            "busy": (self._busy, ()),
            "limited": (self._limited, ()),
            "bug": (lambda seat: [][1], ()),
        }

    def _busy(self, seat: Seat) -> None:
        raise Busy(cause="a secret cause")

    def _limited(self, seat: Seat) -> None:
        raise Limited("wait", smtp="452 4.7.1")

    def gone(self, seat: Seat) -> None:
        self.left.append(seat.number)


class LineTest(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.counting = Counting()
        self.desk = Desk([self.counting])
        self.seat = Seat(3, lambda name, arguments: None)
        self.desk.join(self.seat)
        ours, theirs = pair()
        self.cut: Deferred[None] = Deferred()
        self.raw = theirs
        self.served = serve(self.desk, self.seat, reactor, ours, self._lost)
        self.line = Line(theirs)

    def _lost(self) -> None:
        self.desk.leave(self.seat)
        self.cut.callback(None)

    def tearDown(self) -> None:
        self.line.close()
        self.served.close()

    async def call(self, name: str, *arguments: object) -> Any:
        return await deferToThread(self.line.call, name, *arguments)

    async def error(self, name: str, *arguments: object) -> MailError:
        try:
            await self.call(name, *arguments)
        except MailError as error:
            return error
        raise AssertionError("no error")

    async def test_a_call_is_answered(self) -> None:
        self.assertEqual(await self.call("double", 21), 42)
        self.assertEqual(await self.call("who"), 3)

    async def test_any_text_comes_over_as_it_is(self) -> None:
        for text in ("", "ü\n\0", "\ud800", "x" * 100_000, '"]}'):
            self.assertEqual(await self.call("echo", text), text)

    async def test_an_error_comes_over_with_its_kind_its_text_and_its_code_and_without_its_cause(self) -> None:
        busy = await self.error("busy")
        self.assertIsInstance(busy, Busy)
        self.assertIsNone(busy.cause)
        limited = await self.error("limited")
        self.assertEqual((type(limited), limited.public, limited.smtp), (Limited, "wait", "452 4.7.1"))

    async def test_calls_of_many_threads_get_their_own_answers(self) -> None:
        calls = [deferToThread(self.line.call, "double", number) for number in range(200)]
        self.assertEqual([await one for one in calls], [number * 2 for number in range(200)])

    async def test_a_bug_at_the_desk_is_unavailable_and_the_line_lives_on(self) -> None:
        with self.assertLogs("sesmail.service.crew.desk", "ERROR"):
            self.assertIsInstance(await self.error("bug"), Unavailable)
        self.assertEqual(await self.call("double", 1), 2)

    async def test_wrong_arguments_and_unknown_calls_are_refused(self) -> None:
        wrong: list[tuple[object, ...]] = [
            ("double", "1"),
            ("double", True),
            ("double", 1.5),
            ("double",),
            ("double", 1, 2),
            ("double", None),
            ("echo", 1),
            ("echo", ["x"]),
            ("half", True),
            ("half", "1"),
            ("nothing",),
            ("__class__",),
        ]
        for name, *arguments in wrong:
            self.assertIsInstance(await self.error(str(name), *arguments), Malformed, (name, arguments))
        self.assertEqual(await self.call("half", 1), 0.5)

    async def test_a_call_that_is_too_long_is_the_callers_bug_and_harms_nothing(self) -> None:
        with self.assertRaises(ValueError):
            await self.call("echo", "x" * messages.LONGEST)
        self.assertEqual(await self.call("double", 1), 2)

    async def test_descriptors_come_with_an_answer(self) -> None:
        reading, writing = os.pipe()
        self.desk.offer("pipe", (), lambda seat: Handed("pipe", [writing]))
        [copy] = await deferToThread(self.line.fetch, "pipe")
        os.close(writing)
        os.write(copy, b"through")
        os.close(copy)
        self.assertEqual(os.read(reading, 100), b"through")
        self.assertEqual(os.read(reading, 100), b"")
        os.close(reading)

    async def test_descriptors_that_nobody_asked_for_are_closed(self) -> None:
        reading, writing = os.pipe()
        self.desk.offer("pipe", (), lambda seat: Handed("pipe", [writing]))
        self.assertEqual(await self.call("pipe"), "pipe")
        os.close(writing)
        self.assertEqual(os.read(reading, 100), b"")
        os.close(reading)

    async def test_a_worker_that_ends_has_left_the_desk(self) -> None:
        self.line.close()
        await self.cut
        self.assertEqual(self.counting.left, [3])
        self.assertEqual(self.desk.seats, set())

    async def test_garbled_messages_cut_the_line(self) -> None:
        with self.assertLogs("sesmail.service.crew.desk", "ERROR"):
            self.raw.send(b"\xff garbled")
            await self.cut
        self.assertIsInstance(await self.error("who"), Unavailable)

    async def test_who_has_left_is_answered_nothing(self) -> None:
        self.desk.leave(self.seat)
        self.assertIsInstance(await self.error("who"), Unavailable)

    async def test_no_message_of_a_worker_breaks_the_desk(self) -> None:
        hostile: Sequence[bytes] = [
            b"",
            b"\0",
            b"{}",
            b"[]",
            b"[1]",
            b'[1,"who"]',
            b'["1","who",[]]',
            b"[1,2,[]]",
            b'[1,"who",{}]',
            b"[" * 100_000,
            b'[1,"who",[],4]',
            b"null",
            b"\xff",
            b'[1,"who",[]',
            b"1" * 10_000,
        ]
        for message in hostile:
            with self.assertRaises(Malformed, msg=message[:20]):
                self.desk.answer(self.seat, message)
        for numbers in (b"NaN", b"Infinity"):
            with self.assertRaises(Malformed):
                self.desk.answer(self.seat, b'[1,"half",[%s]]' % numbers)
        for number in (b"1e400", b"-1e400", b"9" * 4000):
            answer, _ = self.desk.answer(self.seat, b'[1,"half",[%s]]' % number)
            self.assertIsInstance(messages.read_answer(answer)[1], Malformed)

    async def test_a_thousand_calls_take_less_than_a_second_of_the_desk(self) -> None:
        def many() -> float:
            began = time.perf_counter()
            for number in range(1000):
                self.line.call("double", number)
            return time.perf_counter() - began

        self.assertLess(await deferToThread(many), 2.0)


class BadParentTest(TestCase):
    """The worker's end against parents that do everything wrong."""

    def setUp(self) -> None:
        ours, self.parent = pair()
        self.parent.settimeout(10)
        self.line = Line(ours, patience=0.2)

    def tearDown(self) -> None:
        self.line.close()
        self.parent.close()

    def answering(self, *answers: bytes) -> None:
        def run() -> None:
            number = json.loads(self.parent.recv(1000))[0]
            for answer in answers:
                self.parent.send(answer.replace(b"NUMBER", b"%d" % number))

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)

    def test_a_parent_that_does_not_answer_is_waited_for_only_so_long(self) -> None:
        began = time.monotonic()
        with self.assertRaises(Unavailable):
            self.line.call("who")
        self.assertLess(time.monotonic() - began, 5)

    def test_an_answer_that_was_too_late_is_not_taken_for_anothers(self) -> None:
        with self.assertRaises(Unavailable):
            self.line.call("who")
        late = json.loads(self.parent.recv(1000))[0]
        self.parent.send(b'[%d,"","late"]' % late)
        self.answering(b'[NUMBER,"","mine"]')
        self.assertEqual(self.line.call("who"), "mine")

    def test_a_parent_that_sends_other_numbers_for_ever_is_not_listened_to_for_ever(self) -> None:
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                try:
                    self.parent.send(b'[0,"",0]')
                except OSError:
                    return

        thread = threading.Thread(target=run)
        thread.start()
        with self.assertRaises(Unavailable):
            self.line.call("who")
        stop.set()
        self.line.close()
        thread.join()

    def test_nonsense_breaks_the_line_for_good(self) -> None:
        for nonsense in (b"nonsense", b'[NUMBER,"Busy"]', b'{"a":1}', b"[1]"):
            with self.subTest(nonsense):
                ours, self.parent = pair()
                self.line = Line(ours, patience=5)
                self.answering(nonsense)
                with self.assertRaises(Unavailable):
                    self.line.call("who")
                with self.assertRaises(Unavailable):
                    self.line.call("who")
                self.parent.close()

    def test_a_kind_that_nobody_knows_is_unavailable(self) -> None:
        for kind in (b"KeyError", b"MailError", b"__name__"):
            self.answering(b'[NUMBER,"%s","text",null]' % kind)
            with self.assertRaises(Unavailable):
                self.line.call("who")

    def test_a_parent_that_is_gone_is_unavailable(self) -> None:
        self.parent.close()
        for _ in range(2):
            with self.assertRaises(Unavailable):
                self.line.call("who")


class OrdersTest(TestCase):
    timeout = 20

    def setUp(self) -> None:
        ours, theirs = pair()
        self.parent_lost: Deferred[None] = Deferred()
        self.worker_lost: Deferred[None] = Deferred()
        self.raw = theirs
        self.orders = Orders(reactor, theirs, lambda: self.parent_lost.callback(None))
        self.ordering = Ordering(reactor, ours, lambda: self.worker_lost.callback(None))
        self.heard: list[object] = []

    def tearDown(self) -> None:
        self.orders.close()
        self.ordering.close()

    async def test_orders_come_in_order_with_their_arguments(self) -> None:
        over: Deferred[None] = Deferred()
        self.orders.on("number", self.heard.append)
        self.orders.on("end", lambda: over.callback(None))
        for number in range(5000):
            self.ordering("number", [number])
        self.ordering("end", [])
        await over
        self.assertEqual(self.heard, list(range(5000)))

    async def test_an_order_that_nobody_knows_or_that_fails_stops_nothing(self) -> None:
        over: Deferred[None] = Deferred()
        self.orders.on("end", lambda: over.callback(None))
        self.orders.on("fail", lambda: [][1])
        with self.assertLogs("sesmail.service.crew.orders", "ERROR") as logged:
            self.ordering("unknown", [])
            self.ordering("fail", [])
            self.ordering("end", [1])
            self.ordering("end", [])
            await over
        self.assertEqual(len(logged.records), 3)

    async def test_a_worker_hears_that_its_parent_is_gone(self) -> None:
        self.ordering.close()
        await self.parent_lost

    async def test_a_parent_hears_that_its_worker_is_gone(self) -> None:
        self.orders.close()
        await self.worker_lost
        self.ordering("number", [1])

    async def test_a_worker_that_does_not_read_is_cut_off(self) -> None:
        self.patch(channel, "MOST_WAITING", 10)
        ours, theirs = pair()
        lost: list[None] = []
        ordering = Ordering(reactor, ours, lambda: lost.append(None))
        with self.assertLogs("sesmail.service.crew.channel", "ERROR"):
            for _ in range(5000):
                ordering("text", ["x" * 1000])
        self.assertEqual(lost, [None])
        theirs.close()

    async def test_a_worker_that_speaks_where_it_has_to_listen_is_cut_off(self) -> None:
        ours, theirs = pair()
        lost: Deferred[None] = Deferred()
        Ordering(reactor, ours, lambda: lost.callback(None))
        theirs.send(b'["x",[]]')
        with self.assertLogs("sesmail.service.crew.orders", "ERROR"):
            await lost
        theirs.close()


class ChannelTest(TestCase):
    timeout = 20

    async def test_a_message_that_is_too_long_cuts_the_channel(self) -> None:
        ours, theirs = pair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        lost: Deferred[None] = Deferred()
        Channel(reactor, ours, lambda message: None, lambda: lost.callback(None))
        theirs.send(b"x" * (messages.LONGEST + 1))
        await lost
        theirs.close()

    async def test_the_longest_message_comes_through_sockets_as_they_are_made(self) -> None:
        ours, theirs = pair()
        got: Deferred[bytes] = Deferred()
        end = Channel(reactor, ours, got.callback, lambda: None)
        theirs.send(b"x" * messages.LONGEST)
        self.assertEqual(len(await got), messages.LONGEST)
        end.close()
        theirs.close()
