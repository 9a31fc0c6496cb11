"""A proxy before a real S3 server that notes what is asked, and can play a lesser one: without conditions, copies, or with forbidden keys."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.servers.seaweed import S3Server

_CONDITIONS = ("if-match", "if-none-match")
_SIGNED_ANEW = ("x-amz-date", "x-amz-content-sha256", "x-amz-security-token")
_NOT_PASSED_ON = ("transfer-encoding", "connection", "date", "server")
_FORBIDDEN = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


class S3Proxy(http.server.ThreadingHTTPServer):
    """`asked` holds verb and path of every request. Requests are signed anew, so that their headers may be changed."""

    daemon_threads = True

    def __init__(self, behind: S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.behind = behind
        self.server = replace(behind, endpoint=f"http://127.0.0.1:{self.server_address[1]}")
        self.asked: list[tuple[str, str]] = []
        self.conditions = True
        self.forbidden: str | None = None
        """Keys that hold this text answer 403."""
        self.denies_copies = False
        self.copies = 0

    def of(self, text: str) -> list[str]:
        """The verbs of requests about paths that hold this text."""
        return [verb for verb, path in self.asked if text in path]


class _Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Proxy

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        proxy = self.server
        proxy.asked.append((self.command, self.path))
        copies = "x-amz-copy-source" in self.headers
        proxy.copies += copies
        if (copies and proxy.denies_copies) or (proxy.forbidden is not None and proxy.forbidden in self.path):
            self.answer(403, {}, _FORBIDDEN)
            return
        address = urlsplit(proxy.behind.endpoint)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        try:
            connection.request(self.command, self.path, body, self.signed(body))
            response = connection.getresponse()
            self.answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

    def signed(self, body: bytes) -> dict[str, str]:
        behind = self.server.behind
        given = {name.lower(): value for name, value in self.headers.items()}
        kept = {name: value for name, value in given.items() if name.startswith(("x-amz-", "if-", "content-", "range"))}
        for name in (*_SIGNED_ANEW, *(() if self.server.conditions else _CONDITIONS)):
            kept.pop(name, None)
        request = AWSRequest(self.command, behind.endpoint + self.path, kept, body)
        S3SigV4Auth(Credentials(behind.access_key, behind.secret_key), "s3", behind.region).add_auth(request)
        return dict(request.headers.items())

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        given = {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED_ON}
        # The server's own time goes with its own Last-Modified.
        date = {"Date": headers.get("Date", self.date_time_string())}
        length = headers["Content-Length"] if self.command == "HEAD" and "Content-Length" in headers else str(len(body))
        for name, value in {**given, **date, "Content-Length": length}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def before(behind: S3Server) -> Iterator[S3Proxy]:
    """A proxy before this server, as long as it is needed."""
    proxy = S3Proxy(behind)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
