"""What S3 alone does to looks, streams and copies: bare answers, conditions, other buckets, endpoints and credentials."""

from __future__ import annotations

import io
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.trial import unittest

from sesmail.errors import MailError, Malformed, NoSuchMessage, Refused, TooLarge, Unavailable
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.metadata import merged
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Denied
from tests.gateways import s3proxy
from tests.servers import faultproxy
from tests.servers.answering import Scripted, client_of
from tests.servers.faultproxy import Rule
from tests.servers.seaweed import S3Server, running
from tests.storage.copy_contract import SEALED
from tests.storage.streams import made

_numbers = itertools.count()
_DATE = "Fri, 01 Jan 2077 00:00:10 GMT"
_FOUND = {"ETag": '"e"', "Last-Modified": _DATE}
_COPIED = b"<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>"
_FAILED = b"<Error><Code>InternalError</Code><Message>m</Message></Error>"


class LookTest(Scripted):
    def test_a_bare_answer_is_asked_about_once_a_minute(self) -> None:
        clock, words = [0.0], ["NoSuchKey"]
        client, asked = self.answering(lambda verb, *_: (404, words[0] if verb == "GET" else ""))
        store = S3Store(client, "bucket", now=lambda: clock[0])
        for clock[0], verbs in ((0.0, ["HEAD", "GET"]), (1.0, ["HEAD"]), (59.0, ["HEAD"]), (61.0, ["HEAD", "GET"])):
            self.assertRaises(NoSuchMessage, store.head, "new/one")
            self.assertEqual([verb for verb, *_ in asked], verbs)
            asked.clear()

    def test_a_bucket_that_is_missing_is_trouble_each_time(self) -> None:
        client, asked = self.answering(lambda verb, *_: (404, "NoSuchBucket" if verb == "GET" else ""))
        store = S3Store(client, "bucket")
        for _ in range(2):
            self.assertRaises(Unavailable, store.head, "new/one")
        self.assertEqual(len(asked), 4)

    def test_what_came_between_two_questions_is_found(self) -> None:
        headers = {**_FOUND, "Content-Length": "5", "x-amz-meta-Sesmail-Sender": "ann@example.org"}
        store, _ = self.scripted(lambda verb, *_: (200, b"12345", headers) if verb == "GET" else (404, ""))
        head = store.head("new/one")
        self.assertEqual((head.size, head.etag, dict(head.metadata)), (5, "e", {"sesmail-sender": "ann@example.org"}))

    def test_other_bare_answers_are_trouble(self) -> None:
        kinds: list[tuple[int, type[MailError]]] = [(403, Denied), (301, Unavailable), (400, Unavailable), (500, Unavailable)]
        for status, kind in kinds:
            store, asked = self.scripted(lambda *_, status=status: (status, ""))
            self.assertRaises(kind, store.head, "new/one")
            self.assertNotIn("GET", [verb for verb, *_ in asked])

    def test_an_answer_that_lacks_what_matters_is_trouble(self) -> None:
        for headers in ({}, {"ETag": '"e"'}, {"Last-Modified": _DATE}):
            store, _ = self.scripted(lambda *_, headers=headers: (200, b"", headers))
            self.assertRaises(Unavailable, store.head, "new/one")
        self.assertRaises(Unavailable, self.scripted(lambda *_: (200, b""))[0].put, "new/one", b"1")

    def test_a_404_that_no_s3_server_wrote_is_trouble(self) -> None:
        store, _ = self.scripted(lambda *_: (404, b"<html>not here</html>"))
        self.assertRaises(Unavailable, store.head, "new/one")
        self.assertRaises(Unavailable, store.open, "new/one")
        self.assertRaises(Unavailable, store.copy, "new/one", "box/one", match="e", metadata={})


class CopyRequestTest(Scripted):
    def test_all_that_a_copy_needs_is_asked_for(self) -> None:
        store, asked = self.scripted(lambda *_: (200, _COPIED))
        store.copy("new/a b+%/é?#&", "box/é", match="e", metadata=merged(SEALED, [("sesmail-sender", "é")]))
        ((verb, path, headers, body),) = asked
        sent = {name.lower(): value for name, value in headers.items()}
        self.assertEqual((verb, path, body), ("PUT", "/bucket/box/%C3%A9", b""))
        self.assertEqual(sent["x-amz-copy-source"], "bucket/new/a%20b%2B%25/%C3%A9%3F%23%26")
        self.assertEqual(sent["x-amz-copy-source-if-match"], '"e"')
        self.assertEqual(sent["x-amz-metadata-directive"], "REPLACE")
        self.assertEqual({name: sent[f"x-amz-meta-{name}"] for name in SEALED}, SEALED)
        self.assertEqual(sent["x-amz-meta-sesmail-sender"], "=?UTF-8?B?w6k=?=")
        self.assertNotIn("expect", sent)

    def test_the_owners_of_both_buckets_are_named(self) -> None:
        client, asked = self.answering(lambda *_: (200, _COPIED))
        inbox, box = S3Store(client, "inbox", "111122223333"), S3Store(client, "box", "444455556666")
        box.copy("new/one", "one", match="e", metadata={}, out_of=inbox)
        ((_, path, headers, _),) = asked
        self.assertEqual((path, headers["x-amz-copy-source"]), ("/box/one", "inbox/new/one"))
        self.assertEqual(headers["x-amz-expected-bucket-owner"], "444455556666")
        self.assertEqual(headers["x-amz-source-expected-bucket-owner"], "111122223333")

    def test_a_copy_that_fails_after_its_200_has_failed(self) -> None:
        for answer in (_FAILED, b"  \n" + _FAILED, b"", b"   ", b"<CopyObjectResult", b"<CopyObjectResult></CopyObjectResult>"):
            store, _ = self.scripted(lambda *_, answer=answer: (200, answer))
            self.assertRaises(Unavailable, store.copy, "new/one", "box/one", match="e", metadata={})

    def test_how_a_copy_fails(self) -> None:
        kinds: list[tuple[int, str, type[MailError]]] = [
            (404, "NoSuchKey", NoSuchMessage),
            (404, "NoSuchBucket", Unavailable),
            (412, "PreconditionFailed", Refused),
            (400, "MetadataTooLarge", TooLarge),
            (400, "KeyTooLongError", Malformed),
            (503, "SlowDown", Unavailable),
        ]
        for status, code, kind in kinds:
            store, asked = self.scripted(lambda *_, status=status, code=code: (status, code))
            with self.assertRaises(kind) as caught:
                store.copy("new/one", "box/one", match="e", metadata={})
            self.assertIs(isinstance(caught.exception, NoSuchMessage), kind is NoSuchMessage)
            self.assertEqual(len(asked), 1)

    def test_a_conflict_of_copies_is_tried_again(self) -> None:
        answers = iter([(409, "OperationAborted"), (200, _COPIED)])
        store, asked = self.scripted(lambda *_: next(answers))
        store.copy("new/one", "box/one", match="e", metadata={})
        self.assertEqual(len(asked), 2)

    def test_a_conflict_of_writes_sends_all_of_a_file_again(self) -> None:
        answers = iter([(409, "ConditionalRequestConflict"), (200, "", {"ETag": '"e"'})])
        store, asked = self.scripted(lambda *_: next(answers))
        store.put("lock", io.BytesIO(b"whole"), absent=True)
        self.assertEqual([body for *_, body in asked], [b"whole", b"whole"])
        self.assertNotIn("expect", {name.lower() for _, _, headers, _ in asked for name in headers})

    def test_a_server_that_ignores_the_condition_of_a_read_is_not_believed(self) -> None:
        store, _ = self.scripted(lambda *_: (200, b"12345", _FOUND))
        self.assertRaises(Refused, store.open, "new/one", match="other")
        self.assertEqual(store.open("new/one", match="e").read(), b"12345")

    def test_what_other_credentials_say_of_a_bucket_of_that_name_is_not_believed(self) -> None:
        for status, code in ((404, "NoSuchKey"), (404, "NoSuchBucket"), (412, "PreconditionFailed"), (403, "AccessDenied")):

            def script(verb: str, path: str, headers: dict[str, str], *_: Any, s: int = status, c: str = code) -> Any:
                if "x-amz-copy-source" in headers:
                    return s, c
                return (200, b"12345" if verb == "GET" else b"", _FOUND)

            client, asked = self.answering(script)
            other = client_of(urlsplit(client.meta.endpoint_url).port)
            S3Store(other, "box").copy("new/one", "one", match="e", metadata={"a": "b"}, out_of=S3Store(client, "inbox"))
            self.assertEqual([verb for verb, *_ in asked], ["PUT", "GET", "PUT"])
            self.assertEqual((asked[2][3], asked[2][2]["x-amz-meta-a"]), (b"12345", "b"))

    def test_what_its_own_credentials_say_of_a_source_is_believed(self) -> None:
        client, asked = self.answering(lambda *_: (404, "NoSuchKey"))
        box, inbox = S3Store(client, "box"), S3Store(client, "inbox")
        self.assertRaises(NoSuchMessage, box.copy, "new/one", "one", match="e", metadata={}, out_of=inbox)
        self.assertEqual(len(asked), 1)


class RealCopyTest(unittest.TestCase):
    server: S3Server
    buckets: Sequence[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = running()
        cls.buckets = [cls.server.make_bucket(f"s3-copies-{next(_numbers)}") for _ in range(2)]

    def stores(self, *servers: S3Server) -> list[S3Store]:
        stores = [S3Store(server.client(), bucket) for server, bucket in zip(servers, self.buckets, strict=False)]
        for store in stores:
            store.delete([row.key.decode() for row in store.list("")])
        return stores

    @contextmanager
    def proxied(self) -> Iterator[tuple[s3proxy.S3Proxy, S3Store, S3Store]]:
        """An inbox by way of the server itself, a box by way of a proxy."""
        with s3proxy.before(self.server) as proxy:
            inbox, box = self.stores(self.server, proxy.server)
            proxy.asked.clear()
            yield proxy, inbox, box

    def assert_copied(self, inbox: S3Store, box: S3Store) -> None:
        etag = inbox.put("new/a b+é", made(0, 3 << 20), metadata=SEALED)
        box.copy("new/a b+é", "one", match=etag, metadata=merged(SEALED, [("sesmail-reason", "none")]), out_of=inbox)
        with box.open("one") as file:
            self.assertEqual(file.read(), made(0, 3 << 20))
        self.assertEqual(dict(box.head("one").metadata), SEALED | {"sesmail-reason": "none"})
        self.assertRaises(Refused, box.copy, "new/a b+é", "two", match="0" * 32, metadata={}, out_of=inbox)
        self.assertRaises(NoSuchMessage, box.copy, "new/none", "two", match=etag, metadata={}, out_of=inbox)
        self.assertEqual([row.key for row in box.list("")], [b"one"])

    def test_between_buckets_of_one_endpoint_the_server_copies(self) -> None:
        with s3proxy.before(self.server) as proxy:
            inbox, box = self.stores(proxy.server, proxy.server)
            etag = inbox.put("new/one", b"12345")
            proxy.asked.clear()
            box.copy("new/one", "one", match=etag, metadata={}, out_of=inbox)
            self.assertEqual(proxy.asked, [("PUT", f"/{self.buckets[1]}/one")])
            self.assert_copied(inbox, box)

    def test_between_endpoints_it_is_read_and_written(self) -> None:
        with self.proxied() as (proxy, inbox, box):
            self.assert_copied(inbox, box)
            self.assertEqual(proxy.copies, 0)

    def test_where_copies_are_denied_it_is_read_and_written(self) -> None:
        with s3proxy.before(self.server) as proxy:
            proxy.denies_copies = True
            inbox, box = self.stores(proxy.server, proxy.server)
            self.assert_copied(inbox, box)
            self.assertLess(0, proxy.copies)

    def test_from_a_bucket_to_a_directory_and_back(self) -> None:
        held = tempfile.TemporaryDirectory(prefix="sesmail-store-")
        self.addCleanup(held.cleanup)
        directory = DirectoryStore(Path(held.name))
        (bucket,) = self.stores(self.server)
        etag = bucket.put("new/one", made(0, 3 << 20))
        directory.copy("new/one", "box/one", match=etag, metadata=SEALED, out_of=bucket)
        bucket.copy("box/one", "back", match=directory.head("box/one").etag, metadata=SEALED, out_of=directory)
        with bucket.open("back") as file:
            self.assertEqual(file.read(), made(0, 3 << 20))
        self.assertEqual(dict(bucket.head("back").metadata), SEALED)


class BrokenTest(unittest.TestCase):
    server: S3Server
    bucket: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = running()
        cls.bucket = cls.server.make_bucket(f"s3-broken-{next(_numbers)}")

    def test_an_answer_that_is_cut_short_is_no_message(self) -> None:
        S3Store(self.server.client(), self.bucket).put("new/one", made(0, 1 << 20))
        with faultproxy.before(self.server.endpoint) as proxy:
            client = S3Server(proxy.endpoint).client(read_timeout=1)
            store = S3Store(client, self.bucket)
            for fault in ("short", "reset", "stall"):
                proxy.fail(Rule("^GET", fault, octets=300_000))
                with store.open("new/one") as file:
                    self.assertRaises(Unavailable, _read_all, file)
                held = tempfile.TemporaryDirectory(prefix="sesmail-store-")
                self.addCleanup(held.cleanup)
                directory = DirectoryStore(Path(held.name))
                etag = store.head("new/one").etag
                self.assertRaises(Unavailable, directory.copy, "new/one", "one", match=etag, metadata={}, out_of=store)
                self.assertEqual(list(directory.list("")), [])

    def test_a_file_is_sent_again_from_where_it_stood(self) -> None:
        with faultproxy.before(self.server.endpoint) as proxy:
            store = S3Store(S3Server(proxy.endpoint).client(), self.bucket)
            for fault in ("500", "refuse", "short"):
                middle = io.BytesIO(made(0, 300_000))
                middle.seek(100_000)
                for name, file, expected in (
                    ("start", io.BytesIO(made(0, 300_000)), made(0, 300_000)),
                    ("middle", middle, made(0, 300_000)[100_000:]),
                ):
                    proxy.fail(Rule("^PUT", fault, times=1))
                    store.put(name, file)
                    self.assertEqual(list(proxy.fail()), [1])
                    with store.open(name) as stored:
                        self.assertEqual(stored.read(), expected)


def _read_all(file: Any) -> None:
    while file.read(100_000):
        pass
