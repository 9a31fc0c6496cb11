"""Copies to where nothing may lie yet: by the server's condition where it knows one, by a look where it does not."""

from __future__ import annotations

import itertools
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from twisted.trial import unittest

from sesmail.errors import Refused, Unavailable
from sesmail.storage.s3 import S3Store
from tests.gateways import s3proxy
from tests.servers.answering import Scripted
from tests.servers.seaweed import S3Server, running

_numbers = itertools.count()
_FOUND = {"ETag": '"e"', "Last-Modified": "Fri, 01 Jan 2077 00:00:10 GMT"}
_COPIED = b"<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>"


class RealTest(unittest.TestCase):
    server: S3Server
    bucket: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = running()
        cls.bucket = cls.server.make_bucket(f"new-copies-{next(_numbers)}")

    def copied_twice(self, proxy: s3proxy.S3Proxy, store: S3Store, etag: str, name: str) -> list[tuple[str, str]]:
        """What it takes to copy to a new place, and to find that there is one already."""
        proxy.asked.clear()
        self.assertIs(store.copy("new/one", f"box/{name}", match=etag, metadata={}, absent=True), None)
        before = store.head(f"box/{name}")
        first, proxy.asked = [verb for verb, _ in proxy.asked][:-1], []
        self.assertEqual(store.copy("new/one", f"box/{name}", match=etag, metadata={}, absent=True), before)
        return [("first", " ".join(first)), ("second", " ".join(verb for verb, _ in proxy.asked))]

    def assert_asked(self, conditions: bool, expected: list[list[tuple[str, str]]]) -> None:
        with s3proxy.before(self.server) as proxy:
            proxy.conditions = conditions
            store = S3Store(proxy.server.client(), self.bucket)
            store.delete([row.key.decode() for row in store.list("")])
            etag = store.put("new/one", b"1")
            self.assertEqual([self.copied_twice(proxy, store, etag, name) for name in ("a", "b")], expected)
            self.assertEqual([row.key for row in store.list("")], [b"box/a", b"box/b", b"new/one"])

    def test_a_server_that_knows_the_condition_is_asked_once_for_a_copy(self) -> None:
        tried = [("first", "PUT PUT POST PUT"), ("second", "PUT HEAD")]
        self.assert_asked(True, [tried, [("first", "PUT"), ("second", "PUT HEAD")]])

    def test_where_the_condition_is_ignored_it_is_looked_first(self) -> None:
        # A first look that finds nothing also asks whether the bucket is there.
        tried = [("first", "PUT PUT POST HEAD GET PUT"), ("second", "HEAD")]
        self.assert_asked(False, [tried, [("first", "HEAD PUT"), ("second", "HEAD")]])


class ScriptedTest(Scripted):
    def asked_for(self, condition: tuple[int, str]) -> list[str]:
        """The verbs of two copies where conditional ones are answered so."""

        def script(verb: str, path: str, headers: dict[str, str], *_: Any) -> Any:
            if "x-amz-copy-source" in headers:
                return condition if "If-None-Match" in headers else (200, _COPIED)
            return (404, "") if verb == "HEAD" else (404, "NoSuchKey") if verb == "GET" else (200, b"", _FOUND)

        store, asked = self.scripted(script)
        for key in ("box/one", "box/two"):
            self.assertIs(store.copy("new/one", key, match="e", metadata={}, absent=True), None)
        return [verb for verb, *_ in asked]

    def test_a_server_that_does_not_know_or_allow_the_condition_is_not_asked_for_it_again(self) -> None:
        for condition in ((501, "NotImplemented"), (403, "AccessDenied")):
            self.assertEqual(" ".join(self.asked_for(condition)), "PUT PUT POST HEAD GET PUT HEAD PUT")

    def test_where_nothing_may_be_tried_out_it_is_looked_first(self) -> None:
        def script(verb: str, path: str, *_: Any) -> Any:
            if "/.sesmail/" in path:
                return 403, "AccessDenied"
            return (200, _COPIED) if verb == "PUT" else (404, "NoSuchKey" if verb == "GET" else "")

        store, asked = self.scripted(script)
        for key in ("box/one", "box/two"):
            self.assertIs(store.copy("new/one", key, match="e", metadata={}, absent=True), None)
        self.assertEqual([verb for verb, *_ in asked], ["PUT", "HEAD", "GET", "PUT", "HEAD", "PUT"])

    def test_trouble_while_it_is_tried_out_is_trouble_and_nothing_is_taken_from_it(self) -> None:
        broken = [True]

        def script(verb: str, path: str, headers: dict[str, str], *_: Any) -> Any:
            if broken[0]:
                return 503, "SlowDown"
            conditional = "/.sesmail/" in path and "If-None-Match" in headers
            return (
                (412, "PreconditionFailed")
                if conditional
                else (200, _COPIED if "x-amz-copy-source" in headers else b"", _FOUND)
            )

        store, asked = self.scripted(script)
        self.assertRaises(Unavailable, store.copy, "new/one", "box/one", match="e", metadata={}, absent=True)
        broken[0] = False
        asked.clear()
        self.assertIs(store.copy("new/one", "box/one", match="e", metadata={}, absent=True), None)
        self.assertEqual(asked[-1][2]["If-None-Match"], "*")

    def test_a_failed_condition_with_nothing_there_is_a_changed_source(self) -> None:
        def script(verb: str, path: str, headers: dict[str, str], *_: Any) -> Any:
            if "x-amz-copy-source" in headers:
                return 412, "PreconditionFailed"
            return (404, "") if verb == "HEAD" else (404, "NoSuchKey") if verb == "GET" else (200, b"", _FOUND)

        store, _ = self.scripted(script)
        self.assertRaises(Refused, store.copy, "new/one", "box/one", match="e", metadata={}, absent=True)


class AwsTest(unittest.TestCase):
    def asked_of(self, endpoint: str) -> list[tuple[str, str]]:
        """Verb and condition of what is asked of this endpoint, which nothing is sent to."""
        asked = []

        def answer(request: Any, **_: Any) -> AWSResponse:
            asked.append((request.method, str(request.headers.get("If-None-Match", b""), "ascii")))
            return AWSResponse(request.url, 200, {}, _Raw(_COPIED))

        client = boto3.session.Session().client("s3", region_name="eu-west-1", endpoint_url=endpoint)
        client.meta.events.register("before-send.s3", answer)
        S3Store(client, "mail").copy("new/one", "box/one", match="e", metadata={}, absent=True)
        return asked

    def test_aws_knows_the_condition_and_nothing_is_tried_out(self) -> None:
        for endpoint in ("https://s3.eu-west-1.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn"):
            self.assertEqual(self.asked_of(endpoint), [("PUT", "*")])


class _Raw:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, **_: Any) -> list[bytes]:
        return [self._data]
