"""The S3 store: the contract of every store on a real server, and how trouble is told."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.config import Config
from twisted.trial import unittest

from sesmail.errors import MailError, NoSuchMessage, Refused, Unavailable
from sesmail.storage.s3 import S3Store
from tests.servers.answering import SECRET, Scripted, client_of
from tests.servers.seaweed import S3Server, running
from tests.storage.copy_contract import CopyContract
from tests.storage.store_contract import ODD, StoreContract

_numbers = itertools.count()


class S3Contract(StoreContract, CopyContract, unittest.TestCase):
    server: S3Server
    bucket: str
    another: str
    client: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = running()
        cls.bucket = cls.server.make_bucket(f"store-contract-{next(_numbers)}")
        cls.another = cls.server.make_bucket(f"{cls.bucket}-other")
        cls.client = cls.server.client()

    def setUp(self) -> None:
        self.store, self.other = S3Store(self.client, self.bucket), S3Store(self.client, self.another)
        for store in (self.store, self.other):
            store.delete([row.key.decode() for row in store.list("")])

    def given_many(self, keys: Sequence[str]) -> None:
        self.server.put_all(self.bucket, [(key, key.encode()) for key in keys])

    async def test_a_key_and_keys_below_it_stand_side_by_side(self) -> None:
        # One after the other: SeaweedFS loses a key that is written at the same time as one below it.
        for key in ODD:
            self.store.put(key, key.encode())
        self.assertEqual(await self.names("odd/"), sorted(ODD, key=str.encode))

    def test_a_missing_bucket_is_trouble_not_a_missing_object(self) -> None:
        store = S3Store(self.client, "there-is-none")
        self.assertRaises(Unavailable, store.load, "passwd.txt", limit=10)
        self.assertRaises(Unavailable, lambda: list(store.list("")))

    def test_a_wrong_secret_is_trouble_and_is_not_told(self) -> None:
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.server.access_key,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )
        store = S3Store(client, self.bucket)
        for call in (lambda: list(store.list("")), lambda: store.load("x", limit=1), lambda: store.delete(["x"])):
            with self.assertRaises(Unavailable) as caught:
                call()
            self.assertIn("403", str(caught.exception))
            self.assertNotIn(SECRET, str(caught.exception))

    def test_many_stores_on_one_client_send_each_condition_once(self) -> None:
        for _ in range(3):
            S3Store(self.client, self.bucket)
        self.store.put("lock", b"1", absent=True)
        self.assertRaises(Refused, self.store.put, "lock", b"2", absent=True)

    def test_of_many_conditional_writers_one_wins(self) -> None:
        wins: list[str] = []

        def write(number: int) -> None:
            try:
                wins.append(self.store.put("lock", b"%d" % number, absent=True))
            except Refused:
                return

        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(wins), 1)


class S3TroubleTest(Scripted):
    def test_only_no_such_key_means_that_the_object_is_absent(self) -> None:
        kinds: list[tuple[int, str, type[MailError]]] = [
            (404, "NoSuchKey", NoSuchMessage),
            (404, "NoSuchBucket", Unavailable),
            (404, "", Unavailable),
            (403, "AccessDenied", Unavailable),
            (403, "InvalidAccessKeyId", Unavailable),
            (301, "PermanentRedirect", Unavailable),
            (400, "ExpiredToken", Unavailable),
            (500, "InternalError", Unavailable),
            (503, "SlowDown", Unavailable),
        ]
        for status, code, kind in kinds:
            store, _ = self.scripted(lambda *_, status=status, code=code: (status, code))
            with self.assertRaises(kind) as caught:
                store.load("passwd.txt", limit=10)
            self.assertIs(isinstance(caught.exception, NoSuchMessage), kind is NoSuchMessage, (status, code))
            self.assertNotIn(SECRET, str(caught.exception))
            self.assertIn(str(status), str(caught.exception))

    def test_nobody_listening_is_trouble(self) -> None:
        store = S3Store(client_of(1), "bucket")
        self.assertRaises(Unavailable, store.load, "x", limit=1)
        self.assertRaises(Unavailable, store.put, "x", b"")
        self.assertRaises(Unavailable, store.delete, ["x", "y\x01"])

    def test_half_an_answer_is_trouble(self) -> None:
        store, _ = self.scripted(lambda *_: (200, b"<?xml version='1.0'?><DeleteResult"))
        self.assertRaises(Unavailable, store.delete, ["x"])
        self.assertRaises(Unavailable, lambda: list(store.list("")))

    def test_what_the_store_says_nothing_of_is_not_taken_for_removed(self) -> None:
        said = b"<DeleteResult><Deleted><Key>x</Key></Deleted></DeleteResult>"
        for answer, left in ((b"", {"x", "y"}), (b"<DeleteResult></DeleteResult>", {"x", "y"}), (said, {"y"})):
            store, _ = self.scripted(lambda *_, body=answer: (200, body))
            self.assertEqual(set(store.delete(["x", "y"])), left)

    def test_where_a_server_lacks_batches_keys_are_removed_one_by_one(self) -> None:
        for status, code in ((501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "MissingContentMD5"), (405, "")):
            store, asked = self.scripted(lambda verb, *_, s=status, c=code: (s, c) if verb == "POST" else (204, ""))
            self.assertEqual(store.delete(["a", "b c"]), {})
            self.assertEqual(store.delete(["d"]), {})
            ways = [(verb, path) for verb, path, *_ in asked if not path.startswith("/bucket?delete") or verb != "POST"]
            self.assertEqual(ways, [("DELETE", "/bucket/a"), ("DELETE", "/bucket/b%20c"), ("DELETE", "/bucket/d")], code)
            self.assertEqual(len(asked), 4)

    def test_a_protected_object_does_not_keep_the_others(self) -> None:
        def script(verb: str, path: str, *_: Any) -> tuple[int, str]:
            if verb == "POST":
                return 501, "NotImplemented"
            return (403, "AccessDenied") if path.endswith("/kept") else (204, "")

        store, asked = self.scripted(script)
        self.assertEqual(list(store.delete(["kept", "a", "b"])), ["kept"])
        self.assertEqual(len(asked), 4)

    def test_what_was_not_asked_any_more_remains(self) -> None:
        def script(verb: str, path: str, headers: Any, body: bytes) -> tuple[int, str | bytes]:
            deleted = b"".join(b"<Deleted>" + key + b"</Deleted>" for key in re.findall(rb"<Key>[^<]*</Key>", body))
            return (503, "SlowDown") if b"<Key>1000</Key>" in body else (200, b"<DeleteResult>" + deleted + b"</DeleteResult>")

        store, asked = self.scripted(script)
        remaining = store.delete([str(number) for number in range(2500)])
        self.assertEqual(sorted(remaining, key=int), [str(number) for number in range(1000, 2500)])
        self.assertEqual(len(asked), 2)
        self.assertRaises(Unavailable, store.delete, ["1000"])

    def test_the_expected_owner_goes_with_every_request(self) -> None:
        store, asked = self.scripted(lambda *_: (503, "SlowDown"), owner="111122223333")
        for call in (
            lambda: list(store.list("")),
            lambda: list(store.folders("")),
            lambda: store.load("x", limit=1),
            lambda: store.put("x", b""),
            lambda: store.head("x"),
            lambda: store.open("x"),
            lambda: store.copy("x", "y", match="e", metadata={}),
            lambda: store.delete(["x"]),
            lambda: store.delete(["x\x01"]),
        ):
            self.assertRaises(Unavailable, call)
        self.assertEqual({headers.get("x-amz-expected-bucket-owner") for _, _, headers, _ in asked}, {"111122223333"})
        self.assertEqual(len(asked), 9)

    def test_an_object_is_sent_without_waiting_for_leave_to_send_it(self) -> None:
        store, asked = self.scripted(lambda *_: (412, "PreconditionFailed"))
        self.assertRaises(Refused, store.put, "lock", b"text", absent=True)
        ((_, _, headers, body),) = asked
        self.assertEqual(body, b"text")
        self.assertNotIn("expect", {name.lower() for name in headers})

    def test_a_conflict_of_conditions_is_tried_again(self) -> None:
        answers = iter([(409, "ConditionalRequestConflict"), (412, "PreconditionFailed")])
        store, asked = self.scripted(lambda *_: next(answers))
        self.assertRaises(Refused, store.put, "lock", b"", absent=True)
        self.assertEqual([headers["If-None-Match"] for _, _, headers, _ in asked], ["*", "*"])
