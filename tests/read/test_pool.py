"""Requests on their way: whole however large they are, and never in the clear where TLS is wanted."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from sesmail.aws.sessions import Address
from sesmail.storage.read.pools import Pools
from sesmail.storage.read.transport import Response
from tests.read.scripted import clock
from tests.servers.certificates import Authority


class _Digests(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = hashlib.sha256(body).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(digest)))
        self.end_headers()
        self.wfile.write(digest)

    def log_message(self, format: str, *args: Any) -> None:
        return


async def _all(response: Response) -> bytes:
    data = b""
    while piece := await response.read():
        data += piece
    return data


class Posted(TestCase):
    timeout = 60

    def _served(self, context: ssl.SSLContext | None = None) -> int:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Digests)
        server.daemon_threads, server.block_on_close = True, False
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return int(server.server_address[1])

    def _authority(self) -> Authority:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        return Authority(folder)

    async def _check(self, address: Address) -> None:
        pools = Pools(clock, connections=1, connect_timeout=5, read_timeout=30)
        self.addCleanup(pools.close)
        for octets in (10, 10_000_000, 10):
            body = bytes(octets)
            response = await pools.to(address).post("/", [("host", address.host)], body)
            self.assertEqual(await _all(response), hashlib.sha256(body).hexdigest().encode())

    async def test_what_no_socket_takes_at_once_goes_out_whole_and_the_connection_is_used_again(self) -> None:
        await self._check(Address(False, "127.0.0.1", self._served(), "", "us-east-1", None))

    async def test_under_tls_nothing_goes_around_it(self) -> None:
        authority = self._authority()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = authority.issue("localhost")
        context.load_cert_chain(issued.certificate, issued.key)
        await self._check(Address(True, "localhost", self._served(context), "", "us-east-1", str(authority.certificate)))
