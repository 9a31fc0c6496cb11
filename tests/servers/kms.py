"""A KMS that answers by a test's own script, where no real one can be brought to answer so."""

from __future__ import annotations

import http.server
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers.serving import serving

KEY = bytes(range(32))
GOOD = (200, {"Plaintext": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "CiphertextBlob": "d3JhcHBlZA=="})
"""The answer that has KEY."""


def refusal(code: str, status: int = 400) -> tuple[int, dict[str, str]]:
    """The answer that is no."""
    return status, {"__type": f"com.amazonaws.kms#{code}", "message": "not you"}


@contextmanager
def answering(script: Callable[[int], Any]) -> Iterator[tuple[str, list[Any]]]:
    """A server that says what the script has for its first, second, ... request: a status and a document, octets, or None to break off."""
    asked: list[Any] = []

    class Answering(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, dict(self.headers), body))
            said = script(len(asked))
            if said is None:
                self.close_connection = True
                return
            status, document = said
            data = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            return

    with serving(Answering) as port:
        yield f"http://127.0.0.1:{port}", asked
