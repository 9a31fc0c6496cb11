"""A bucket of S3 in memory for benchmarks of what writes: constant delay, no signatures checked, costs little.

A process of its own: ``python -m bench.memory_bucket PORT DELAY``. It keeps what it is given, and knows the conditions that a copy may
have; any bucket's name means the one bucket, and a listing is one page. How S3 answers:
https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded

_KEY = re.compile(r"<Key>([^<]*)</Key>")
_MOMENT = "Sat, 21 Nov 2026 09:30:00 GMT"
_WRITTEN = "2026-11-21T09:30:00.000Z"
_META = "x-amz-meta-"


@contextmanager
def running(delay: float) -> Iterator[str]:
    """The endpoint of a server."""
    port = free_port()
    with TemporaryDirectory(prefix="sesmail-bench-") as directory:
        process = Guarded([sys.executable, "-m", "bench.memory_bucket", str(port), str(delay)], Path(directory) / "log")
        try:
            wait_until(lambda: answers(port), seconds=60, what=process.tail)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stop()


@dataclass(frozen=True)
class Asked:
    """A request. `key` without the bucket's name."""

    method: str
    key: str
    query: Mapping[str, list[str]]
    fields: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What comes back. `length` where there is no body to tell it."""

    status: int = 200
    body: bytes = b""
    fields: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


@dataclass(frozen=True)
class _Object:
    data: bytes
    etag: str
    metadata: Mapping[str, str]


class Bucket:
    """Keys and what lies there."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}

    def answer(self, asked: Asked) -> Answer:
        """Do what is asked."""
        if "delete" in asked.query:
            return self._remove(_KEY.findall(asked.body.decode()))
        if not asked.key:
            return self._list(asked.query)
        if asked.method == "DELETE":
            self._objects.pop(asked.key, None)
            return Answer(204)
        if asked.method == "PUT":
            return self._put(asked)
        return self._get(asked)

    def _get(self, asked: Asked) -> Answer:
        found = self._objects.get(asked.key)
        if found is None:
            return _refusal(404, "NoSuchKey")
        fields = {"ETag": f'"{found.etag}"', "Last-Modified": _MOMENT, **found.metadata}
        return Answer(200, found.data if asked.method == "GET" else b"", fields, len(found.data))

    def _put(self, asked: Asked) -> Answer:
        if asked.fields.get("if-none-match") == "*" and asked.key in self._objects:
            return _refusal(412, "PreconditionFailed")
        metadata = {name: value for name, value in asked.fields.items() if name.startswith(_META)}
        if "x-amz-copy-source" in asked.fields:
            return self._copy(asked, metadata)
        made = _Object(asked.body, hashlib.md5(asked.body, usedforsecurity=False).hexdigest(), metadata)
        self._objects[asked.key] = made
        return Answer(200, fields={"ETag": f'"{made.etag}"'})

    def _copy(self, asked: Asked, metadata: Mapping[str, str]) -> Answer:
        source = self._objects.get(unquote(asked.fields["x-amz-copy-source"]).lstrip("/").partition("/")[2])
        if source is None:
            return _refusal(404, "NoSuchKey")
        if asked.fields.get("x-amz-copy-source-if-match", source.etag).strip('"') != source.etag:
            return _refusal(412, "PreconditionFailed")
        kept = metadata if asked.fields.get("x-amz-metadata-directive") == "REPLACE" else source.metadata
        self._objects[asked.key] = _Object(source.data, source.etag, kept)
        said = f'<CopyObjectResult><ETag>"{source.etag}"</ETag><LastModified>{_WRITTEN}</LastModified></CopyObjectResult>'
        return Answer(200, said.encode())

    def _remove(self, keys: list[str]) -> Answer:
        for key in keys:
            self._objects.pop(unescape(key), None)
        said = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return Answer(200, f"<DeleteResult>{said}</DeleteResult>".encode())

    def _list(self, query: Mapping[str, list[str]]) -> Answer:
        prefix = query.get("prefix", [""])[0]
        most = int(query["max-keys"][0]) if "max-keys" in query else None
        keys = sorted(key for key in self._objects if key.startswith(prefix))[:most]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_WRITTEN}</LastModified>"
            f"<ETag>{self._objects[key].etag}</ETag><Size>{len(self._objects[key].data)}</Size></Contents>"
            for key in keys
        )
        said = f"<IsTruncated>false</IsTruncated><KeyCount>{len(keys)}</KeyCount>{rows}"
        return Answer(200, f"<ListBucketResult>{said}</ListBucketResult>".encode())


def _refusal(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


async def _talk(bucket: Bucket, delay: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            method, target, _ = first.split(" ")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            if "expect" in fields:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            parts = urlsplit(target)
            key = unquote(parts.path).lstrip("/").partition("/")[2]
            await asyncio.sleep(delay)
            answer = bucket.answer(Asked(method, key, parse_qs(parts.query, keep_blank_values=True), fields, body))
            writer.write(_head(answer))
            if method != "HEAD":
                writer.write(answer.body)
    writer.close()


def _head(answer: Answer) -> bytes:
    length = len(answer.body) if answer.length is None else answer.length
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in answer.fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _serve(port: int, delay: float) -> None:
    bucket = Bucket()
    # A message is at most 5 MB here; what botocore sends in pieces it does not understand.
    server = await asyncio.start_server(lambda reader, writer: _talk(bucket, delay, reader, writer), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("delay", type=float)
    asyncio.run(_serve(**vars(arguments.parse_args())))
