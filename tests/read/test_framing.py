"""An HTTP response ends where its head says, however its bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.storage.read.framing import Broken, Framing

_BODY = st.binary(max_size=300)


def _counted(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX: y\r\n\r\n" % len(body) + body


def _chunked(body: bytes, size: int) -> bytes:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x;note=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\nTrailer: x\r\n\r\n"


def _until_close(body: bytes) -> bytes:
    return b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n" + body


def _fed(framing: Framing, data: bytes, cuts: list[int]) -> bytes:
    body, begun, position = b"", False, 0
    for cut in [*sorted(cuts), len(data)]:
        piece, position = data[position:cut], max(position, cut)
        if not begun:
            begun = framing.head(piece) is not None
            piece = b""
        if begun:
            body += b"".join(framing.body(piece))
    return body


@given(body=_BODY, size=st.integers(1, 90), cuts=st.lists(st.integers(0, 700), max_size=12))
def test_every_framing_gives_the_body_whatever_the_segments(body: bytes, size: int, cuts: list[int]) -> None:
    for data in (_counted(body), _chunked(body, size), _until_close(body)):
        framing = Framing()
        assert _fed(framing, data, cuts) == body
        assert framing.complete or framing.until_close
        assert framing.reusable is not framing.until_close


@given(body=_BODY, size=st.integers(1, 90), cut=st.integers(1, 200))
def test_a_response_that_stops_early_is_never_complete(body: bytes, size: int, cut: int) -> None:
    for data in (_counted(body + b"."), _chunked(body + b".", size)):
        framing = Framing()
        _fed(framing, data[: max(0, len(data) - cut)], [])
        assert not framing.complete


@pytest.mark.parametrize(
    "data",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 5000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 304 Not Modified\r\n\r\nbody",
    ],
)
def test_what_is_no_response_is_refused(data: bytes) -> None:
    with pytest.raises(Broken):
        _fed(Framing(), data, [])


def test_an_answer_without_a_body_is_complete_at_its_head() -> None:
    for head in (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
        framing = Framing()
        assert _fed(framing, head, []) == b""
        assert framing.complete
        assert framing.reusable


def test_a_server_that_closes_is_not_used_again() -> None:
    framing = Framing()
    _fed(framing, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", [])
    assert framing.complete
    assert not framing.reusable
