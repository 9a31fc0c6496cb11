"""A small HTTP server of a test's own, while the test needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving(answering: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Its port on 127.0.0.1. Requests are answered in threads, and none that is under way at the end is waited for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering)
    # Connections are kept, and threads with them.
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
