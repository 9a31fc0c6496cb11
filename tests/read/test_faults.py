"""Trouble between us and the store: what is tried again, what is mended, what is given up, and that no half message passes."""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sesmail.errors import NoSuchMessage, TooLarge, Unavailable
from sesmail.interfaces import Keys, StorePlace
from sesmail.storage.read import connection
from sesmail.storage.read.bodies import HEAD, IN_MEMORY, collect
from sesmail.storage.read.s3 import S3Reader
from sesmail.storage.store import Loaded, Unchanged
from tests.read.scripted import Answer, Script, Scripted, clock, error, listen, ok, reader

_BIG = bytes(range(256)) * (IN_MEMORY // 128)
_ETAG = '"abc"'


def _crc(data: bytes) -> str:
    return b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def _part(data: bytes, start: int, end: int | None = None) -> Answer:
    body = data[start:end]
    extent = f"bytes {start}-{start + len(body) - 1}/{len(data)}"
    return ok(body, "206 Partial Content", Content_Range=extent, ETag=_ETAG)


def _broken(answer: Answer, octets: int, then: str = "reset") -> Answer:
    return Answer(answer.data[:octets], then)


class Faults(TestCase):
    timeout = 20

    def _listen(self, *answers: Scripted, **options: Any) -> tuple[Script, S3Reader]:
        script, port = listen(answers, self.addCleanup)
        return script, reader(port, self.addCleanup, **options)

    async def test_what_passes_is_asked_again_until_it_is_there(self) -> None:
        for trouble in (
            error("500 Internal Server Error", "InternalError"),
            error("503 Slow Down", "SlowDown"),
            error("400 Bad Request", "RequestTimeout"),
            error("429 Too Many", ""),
            Answer(b"", "close"),
            Answer(b"", "reset"),
            Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "close"),
            Answer(b"220 smtp.example ESMTP\r\n\r\n"),
            ok(b"damaged", x_amz_checksum_crc32=_crc(b"message")),
        ):
            script, store = self._listen(trouble, ok(b"message", x_amz_checksum_crc32=_crc(b"message")))
            body = await store.open("m/1", size=7)
            self.assertEqual(await collect(body), b"message", trouble)
            self.assertEqual(len(script.seen), 2, trouble)

    async def test_trouble_that_stays_is_unavailable_after_four_attempts(self) -> None:
        script, store = self._listen(*[error("503 Slow Down", "SlowDown")] * 9)
        with pytest.raises(Unavailable):
            await store.open("m/1", size=7)
        self.assertEqual(len(script.seen), 4)

    async def test_absent_and_forbidden_are_asked_once(self) -> None:
        for refused, kind in (
            (error("404 Not Found", "NoSuchKey"), NoSuchMessage),
            (error("404 Not Found", "NoSuchBucket"), Unavailable),
            (error("403 Forbidden", "AccessDenied"), Unavailable),
            (error("403 Forbidden", "SignatureDoesNotMatch"), Unavailable),
            (error("400 Bad Request", "InvalidArgument"), Unavailable),
        ):
            script, store = self._listen(refused, ok(b"never"))
            with pytest.raises(kind):
                await store.open("m/1", size=7)
            self.assertEqual(len(script.seen), 1)

    async def test_expired_credentials_are_asked_for_anew_once(self) -> None:
        expired = error("400 Bad Request", "ExpiredToken")
        script, store = self._listen(expired, ok(b"message"))
        self.assertEqual(await collect(await store.open("m/1", size=7)), b"message")
        script, store = self._listen(expired, expired, ok(b"message"))
        with pytest.raises(Unavailable):
            await store.open("m/1", size=7)
        self.assertEqual(len(script.seen), 2)

    async def test_a_wrong_clock_of_ours_is_corrected_by_the_store(self) -> None:
        theirs = datetime.now(UTC) + timedelta(hours=2)
        skewed = error("403 Forbidden", "RequestTimeTooSkewed", Date=format_datetime(theirs, usegmt=True))
        script, store = self._listen(skewed, ok(b"message"))
        self.assertEqual(await collect(await store.open("m/1", size=7)), b"message")
        self.assertIn(theirs.strftime("x-amz-date: %Y%m%dT%H%M"), script.seen[1])

    async def test_a_bucket_in_another_region_is_followed_there_on_aws_alone(self) -> None:
        moved = error("301 Moved", "PermanentRedirect", x_amz_bucket_region="eu-west-1")
        aws = StorePlace("s3://mail", region="us-east-1", keys=Keys("AKIA", "secret"))
        script, store = self._listen(moved, ok(b"message"), place=aws)
        self.assertEqual(await collect(await store.open("m/1", size=7)), b"message")
        self.assertIn("mail.s3.eu-west-1.amazonaws.com", script.seen[1])
        script, store = self._listen(moved, ok(b"message"))
        with pytest.raises(Unavailable):
            await store.open("m/1", size=7)

    async def test_the_expected_owner_of_the_bucket_is_named(self) -> None:
        place = StorePlace("s3://mail", endpoint="http://127.0.0.1:1", keys=Keys("AKIA", "secret"), owner="123456789012")
        script, store = self._listen(ok(b"message"), place=place)
        await store.open("m/1", size=7)
        self.assertIn("x-amz-expected-bucket-owner: 123456789012", script.seen[0])

    async def test_a_large_message_goes_on_by_range_where_it_broke_off(self) -> None:
        whole = ok(_BIG, ETag=_ETAG, x_amz_checksum_crc32=_crc(_BIG))
        cut = len(whole.data) - 900_000
        busy = error("503 Slow Down", "SlowDown")
        script, store = self._listen(_broken(whole, cut), _ranged(300_000, "close"), busy, _ranged(100, "reset"), _ranged())
        body = await store.open("m/1", size=len(_BIG))
        self.assertFalse(body.whole)
        self.assertEqual(body.size, len(_BIG))
        self.assertEqual(await collect(body), _BIG)
        self.assertEqual(len(script.seen), 5)
        self.assertTrue(all("if-match: " + _ETAG in seen for seen in script.seen[1:]))

    async def test_a_large_message_that_was_damaged_or_replaced_ends_in_an_error(self) -> None:
        damaged = ok(_BIG, ETag=_ETAG, x_amz_checksum_crc32=_crc(b"else"))
        whole = ok(_BIG, ETag=_ETAG)
        replaced = error("412 Precondition Failed", "PreconditionFailed")
        gone = error("404 Not Found", "NoSuchKey")
        rangeless = ok(_BIG)
        for answers in (
            [damaged],
            [_broken(whole, 800_000), replaced],
            [_broken(whole, 800_000), gone],
            [_broken(whole, 800_000), rangeless],
            [_broken(whole, 800_000), *[Answer(b"", "reset")] * 30],
        ):
            _, store = self._listen(*answers)
            body = await store.open("m/1", size=len(_BIG))
            with pytest.raises(Unavailable):
                await collect(body)
            body.close()

    async def test_the_beginning_of_a_large_message_costs_only_its_beginning(self) -> None:
        script, store = self._listen(_ranged(), _ranged())
        body = await store.open("m/1", size=len(_BIG), head=True)
        self.assertEqual(await body.read(), _BIG[:HEAD])
        self.assertEqual(len(script.seen), 1)
        self.assertEqual(_BIG[:HEAD] + await collect(body), _BIG)
        self.assertEqual(len(script.seen), 2)

    async def test_a_small_object_is_loaded_once_and_then_only_if_it_changed(self) -> None:
        script, store = self._listen(ok(b"users", ETag=_ETAG), ok(b"", "304 Not Modified"), ok(b"x" * 50))
        self.assertEqual(await store.load("passwd.txt", limit=10), Loaded(b"users", "abc"))
        self.assertEqual(await store.load("passwd.txt", limit=10, known="abc"), Unchanged())
        self.assertIn('if-none-match: "abc"', script.seen[1])
        with pytest.raises(TooLarge):
            await store.load("passwd.txt", limit=10)

    async def test_a_kept_connection_that_died_meanwhile_costs_no_attempt(self) -> None:
        script, store = self._listen(ok(b"one"), Answer(b"", "close"), ok(b"two"))
        self.assertEqual(await collect(await store.open("m/1", size=3)), b"one")
        self.assertEqual(await collect(await store.open("m/2", size=3)), b"two")
        self.assertEqual(len(script.seen), 3)

    async def test_silence_ends_in_an_error(self) -> None:
        for silent in (Answer(), Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")):
            _, store = self._listen(*[silent] * 9, read_timeout=0.05)
            with pytest.raises(Unavailable):
                await store.open("m/1", size=7)

    async def test_a_server_that_speaks_unasked_is_not_believed(self) -> None:
        twice = ok(b"one").data + ok(b"forged").data
        _, store = self._listen(Answer(twice), ok(b"one"), ok(b"two"))
        self.assertEqual(await collect(await store.open("m/1", size=3)), b"one")
        self.assertEqual(await collect(await store.open("m/2", size=3)), b"two")

    async def test_no_more_connections_than_allowed_and_everybody_gets_his_turn(self) -> None:
        script, store = self._listen(*[ok(b"x")] * 40, size=3)
        bodies = await gatherResults([Deferred.fromCoroutine(store.open(f"m/{n}", size=1)) for n in range(40)])
        self.assertEqual(len(bodies), 40)
        self.assertLessEqual(len(script.open), 3)

    async def test_who_waits_too_long_for_a_connection_hears_so(self) -> None:
        _, store = self._listen(*[Answer()] * 9, size=1, read_timeout=0.05)
        waiting = [Deferred.fromCoroutine(store.open(f"m/{n}", size=1)) for n in range(8)]
        results: Any = await DeferredList(waiting, consumeErrors=True)
        self.assertTrue(all(not good and failure.check(Unavailable) for good, failure in results))

    async def test_a_reader_that_goes_away_frees_its_connection(self) -> None:
        script, store = self._listen(Answer(), ok(b"x"), size=1)
        waiting = Deferred.fromCoroutine(store.open("m/1", size=1))
        while not script.seen:
            await deferLater(clock, 0.01)
        waiting.cancel()
        with pytest.raises(CancelledError):
            await waiting
        self.assertEqual(await collect(await store.open("m/2", size=1)), b"x")

    async def test_a_body_nobody_reads_gives_its_connection_to_others_and_goes_on_later(self) -> None:
        whole = ok(_BIG * 8, ETag=_ETAG)
        self.patch(connection, "PARK", 0.05)
        script, store = self._listen(whole, ok(b"x"), lambda head: _ranged_of(_BIG * 8, head), size=1)
        body = await store.open("m/1", size=len(_BIG) * 8)
        first = await body.read()
        self.assertEqual(await collect(await store.open("m/2", size=1)), b"x")
        self.assertEqual(first + await collect(body), _BIG * 8)
        self.assertEqual(len(script.seen), 3)

    async def test_who_waits_for_a_connection_does_not_wait_for_one_that_nobody_reads(self) -> None:
        whole = ok(_BIG * 8, ETag=_ETAG)
        self.patch(connection, "PARK", 60)
        self.patch(connection, "PARK_WANTED", 0.05)
        for paused_before in (0.0, 0.2):
            script, store = self._listen(whole, ok(b"x"), lambda head: _ranged_of(_BIG * 8, head), size=1)
            body = await store.open("m/1", size=len(_BIG) * 8)
            first = await body.read()
            await deferLater(clock, paused_before)
            self.assertEqual(await collect(await store.open("m/2", size=1)), b"x")
            self.assertEqual(first + await collect(body), _BIG * 8)
            self.assertEqual(len(script.seen), 3)


def _ranged(octets: int | None = None, then: str = "keep") -> Callable[[str], Answer]:
    """The part of _BIG that is asked for, or only so many octets of the answer."""
    return lambda head: _broken(_ranged_of(_BIG, head), octets, then) if octets else _ranged_of(_BIG, head)


def _ranged_of(data: bytes, head: str) -> Answer:
    asked = re.search(r"range: bytes=([0-9]+)-([0-9]*)", head)
    assert asked, head
    return _part(data, int(asked[1]), int(asked[2]) + 1 if asked[2] else None)
