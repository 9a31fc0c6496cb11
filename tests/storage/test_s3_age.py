"""How old an object in a bucket is: by the clock of the server that says so, whatever ours shows."""

from __future__ import annotations

import http.server
import threading
from typing import Any

import boto3
from botocore.config import Config
from twisted.trial import unittest

from sesmail.errors import Unavailable
from sesmail.storage.s3 import S3Store

WRITTEN = "Fri, 01 Jan 2077 00:00:10 GMT"


class Dated(http.server.BaseHTTPRequestHandler):
    """Serves one object, written at WRITTEN, and shows the time that the test gives it."""

    def do_GET(self) -> None:
        self.send_response_only(200)
        headers = {"ETag": '"e"', "Content-Length": "2", "Last-Modified": WRITTEN, "Date": self.server.date}  # type: ignore[attr-defined]
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"hi")

    def log_message(self, format: str, *args: Any) -> None:
        return


class AgeTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dated)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.server.server_address[1]}",
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )
        self.store = S3Store(client, "bucket")

    def age(self, date: str | None) -> float:
        self.server.date = date  # type: ignore[attr-defined]
        return self.store.load_aged("lock", limit=10).age

    def test_the_age_is_what_passed_on_the_servers_clock(self) -> None:
        self.assertEqual(self.age("Fri, 01 Jan 2077 00:01:09 GMT"), 59)
        self.assertEqual(self.age("Fri, 01 Jan 2077 00:00:10 GMT"), 0)

    def test_a_server_that_disagrees_with_itself_makes_nothing_younger_than_new(self) -> None:
        self.assertEqual(self.age("Fri, 01 Jan 2077 00:00:09 GMT"), 0)

    def test_without_a_good_date_there_is_no_age(self) -> None:
        for date in (None, "yesterday", ""):
            self.assertRaises(Unavailable, self.age, date)
