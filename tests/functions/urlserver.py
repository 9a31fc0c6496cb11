"""A function behind an HTTP server, as its URL is."""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.servers.serving import serving


@contextmanager
def served(function: Callable[[object], Any]) -> Iterator[str]:
    """The URL of a server that asks the function, one request after the other."""
    one = threading.Lock()

    class Asked(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one piece: else the client's delayed acknowledgement holds up the second one.
        wbufsize = -1

        def handle_one_request(self) -> None:
            # Every method is the function's business; http.server looks for one of ours for each.
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with one:
                answer = function(_event(self.command, self.path, self.headers, body))
            self._answer(answer)
            self.wfile.flush()

        def _answer(self, answer: Mapping[str, Any]) -> None:
            body = answer.get("body", "")
            octets = b64decode(body) if answer["isBase64Encoded"] else body.encode()
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            if answer["statusCode"] != 204:
                self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the function has its own log."""

    with serving(Asked) as port:
        yield f"http://127.0.0.1:{port}"


def _event(method: str, target: str, headers: Any, body: bytes) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name.lower(): ",".join(headers.get_all(name)) for name in headers},
        "requestContext": {"http": {"method": method, "path": path}},
        "body": b64encode(body).decode(),
        "isBase64Encoded": True,
    }
