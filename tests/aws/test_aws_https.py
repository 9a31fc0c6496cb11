"""What is got from AWS is bounded, and leads nowhere else."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sesmail.aws.https import Https
from sesmail.errors import Refused, Unavailable
from tests.servers.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@contextmanager
def server(
    authority: Authority, *pieces: bytes, name: str = "localhost", pause: float = 0
) -> Iterator[tuple[str, list[bytes]]]:
    """Answers each connection with these pieces; gives its URL and what it was asked."""
    issued = authority.issue(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    plain, _ = listening.accept()
                    with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                        asked.append(connection.recv(4096))
                        for piece in pieces:
                            connection.sendall(piece)
                            time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://localhost:{listening.getsockname()[1]}/a?b=c", asked
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def https(authority: Authority, **options: float) -> Https:
    return Https(ssl.create_default_context(cafile=str(authority.certificate)), **options)  # type: ignore[arg-type]


def test_the_octets_behind_an_url_are_got(authority: Authority) -> None:
    with server(authority, b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two") as (url, asked):
        assert https(authority).get(url) == b"onetwo"
        assert asked[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(authority: Authority, status: int) -> None:
    with server(authority, b"HTTP/1.1 200 OK\r\n\r\nsecret") as (inside, reached):
        with (
            server(authority, f"HTTP/1.1 {status} Gone\r\nLocation: {inside}\r\n\r\n".encode()) as (url, _),
            pytest.raises(Unavailable),
        ):
            https(authority).get(url)
        assert reached == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "file:///etc/passwd", "ftp://127.0.0.1:9/", "data:,x", ""])
def test_nothing_but_https_is_spoken(authority: Authority, url: str) -> None:
    with pytest.raises(Refused):
        https(authority).get(url)


def test_a_server_must_be_who_it_says(authority: Authority, tmp_path: Path) -> None:
    with server(authority, b"HTTP/1.1 200 OK\r\n\r\nx", name="other.example") as (url, asked):
        with pytest.raises(Unavailable):
            https(authority).get(url)
        assert asked == []
    with server(authority, b"HTTP/1.1 200 OK\r\n\r\nx") as (url, _), pytest.raises(Unavailable):
        https(Authority(tmp_path)).get(url)


def test_size_is_bounded(authority: Authority) -> None:
    with server(authority, b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 1000] * 3) as (url, _):
        assert len(https(authority, longest=3000).get(url)) == 3000
        with pytest.raises(Unavailable, match="more than"):
            https(authority, longest=2999).get(url)


def test_time_is_bounded_however_it_trickles(authority: Authority) -> None:
    began = time.monotonic()
    with server(authority, b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 100, pause=0.05) as (url, _):
        with pytest.raises(Unavailable, match="too slow"):
            https(authority, timeout=0.3).get(url)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (410, Refused),
        (403, Unavailable),
        (404, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_what_aws_refuses_for_good_is_told_from_what_may_work_later(authority: Authority, status: int, error: type) -> None:
    with server(authority, f"HTTP/1.1 {status} No\r\n\r\n".encode()) as (url, _), pytest.raises(error):
        https(authority).get(url)


@pytest.mark.parametrize("answer", [b"", b"SMTP ready\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"])
def test_what_is_broken_off_or_no_http_is_trouble(authority: Authority, answer: bytes) -> None:
    with server(authority, answer) as (url, _), pytest.raises(Unavailable):
        https(authority).get(url)
