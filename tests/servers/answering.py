"""An S3 server that answers by a test's own script, where no real one can be brought to answer so."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from twisted.trial import unittest

from sesmail.storage.s3 import S3Store

SECRET = "a-secret-that-nobody-may-read"


class _Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = (self.command, self.path, dict(self.headers), body)
        self.server.asked.append(asked)  # type: ignore[attr-defined]
        status, code, *more = self.server.script(*asked)  # type: ignore[attr-defined]
        text = code if isinstance(code, bytes) else _refusal(code)
        headers: Mapping[str, str] = {"Content-Length": str(len(text)), **(more[0] if more else {})}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:
        return


def _refusal(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode() if code else b""


def client_of(port: int) -> Any:
    """A boto3 client of what listens there, that asks once only and holds SECRET."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKIA",
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, connect_timeout=2, read_timeout=2),
    )


class Scripted(unittest.TestCase):
    """Makes stores over such servers."""

    def answering(self, script: Callable[..., Any]) -> tuple[Any, list[Any]]:
        """A client of a new server, and what it is asked: verb, path, headers, body. The script gets these and returns status, a code or
        a body, and perhaps headers."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
        server.script, server.asked = script, []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return client_of(server.server_address[1]), server.asked  # type: ignore[attr-defined]

    def scripted(self, script: Callable[..., Any], owner: str | None = None) -> tuple[S3Store, list[Any]]:
        """A store in a bucket of such a server, and what that is asked."""
        client, asked = self.answering(script)
        return S3Store(client, "bucket", owner), asked
