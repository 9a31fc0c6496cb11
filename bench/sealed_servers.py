"""The S3 server in memory with sealed messages, and a KMS that knows one key: ``python -m bench.sealed_servers S3PORT KMSPORT DELAY COUNT SEALED``.

SEALED is 1, or 0 for the same messages as they are.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.memory_s3 import Caller, Shelf

_KEY = bytes(range(32))
_IV = bytes(12)
_CONTEXT = {"aws:ses:message-id": "0" * 40, "aws:ses:rule-name": "in", "aws:ses:source-account": "123456789012"}
_UNWRAPPED = json.dumps({"KeyId": "arn", "Plaintext": base64.b64encode(_KEY).decode()}).encode()
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")


class SealedShelf(Shelf):
    """The messages of the plain shelf, sealed, each with another key of KMS, which gives the same for all of them."""

    def __init__(self, count: int, size: str) -> None:
        super().__init__(count, size)
        plain = self.block
        self._bodies: dict[str, bytes] = {}
        for name, octets in self.sizes.items():
            self._bodies[name] = AESGCM(_KEY).encrypt(_IV, bytes(plain[-octets:]), None)

    def answer(self, target: str) -> tuple[bytes, bytes | memoryview]:
        """See Shelf."""
        name = target.rpartition("/")[2]
        if name not in self._bodies:
            return super().answer(target)
        body = self._bodies[name]
        lines = (
            f'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: {len(body)}\r\n'
            f"x-amz-meta-x-amz-key-v2: {base64.b64encode(name.encode() * 4).decode()}\r\n"
            f"x-amz-meta-x-amz-iv: {base64.b64encode(_IV).decode()}\r\nx-amz-meta-x-amz-cek-alg: AES/GCM/NoPadding\r\n"
            f"x-amz-meta-x-amz-tag-len: 128\r\nx-amz-meta-x-amz-wrap-alg: kms\r\nx-amz-meta-x-amz-matdesc: {json.dumps(_CONTEXT)}\r\n\r\n"
        )
        return lines.encode(), body


class Kms(Caller):
    """Answers every request with the key."""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if blank and len(rest) >= _length(head):
            self._buffer = b""
            self._later(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(_UNWRAPPED), _UNWRAPPED)


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


async def _serve(s3: int, kms: int, delay: float, count: int, sealed: bool) -> None:
    shelf = SealedShelf(count, "mail") if sealed else Shelf(count, "mail")
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Kms(shelf, delay), "127.0.0.1", kms)
    server = await loop.create_server(lambda: Caller(shelf, delay), "127.0.0.1", s3)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "1"))
