"""A door before DynamoDB that can answer in its place."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.servers.serving import serving


def _passed_on(endpoint: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    try:
        with urlopen(Request(endpoint, body, headers)) as answer:
            return 200, answer.read()
    except HTTPError as error:
        return error.code, error.read()


@contextmanager
def between(endpoint: str, answer: Callable[[str, Any], tuple[int, Any] | None], *, one_by_one: bool = False) -> Iterator[str]:
    """An endpoint before `endpoint`. `answer(operation, body)` gives status and document, or None to ask the real one; `one_by_one`: which
    is then asked one thing at a time."""
    turn = threading.Lock() if one_by_one else nullcontext()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said = answer(self.headers["X-Amz-Target"].partition(".")[2], json.loads(body))
            if said is None:
                with turn:
                    said = _passed_on(endpoint, body, dict(self.headers))
            status, document = said
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Door) as port:
        yield f"http://127.0.0.1:{port}"
