"""However a message is cut and whatever its line ends are, what follows DATA is that message and ends once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.relay.stuffing import Stuffing


def on_the_wire(pieces: Iterable[bytes]) -> bytes:
    stuffing = Stuffing()
    return b"".join([stuffing.feed(piece) for piece in pieces]) + stuffing.finish()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def received(wire: bytes) -> bytes:
    """What a server that knows only CRLF makes of it."""
    assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1
    assert (b"\r\n" + wire).endswith(b"\r\n.\r\n")
    return (b"\r\n" + wire)[:-3].replace(b"\r\n.", b"\r\n")[2:]


def normal(data: bytes) -> bytes:
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return lines if not lines or lines.endswith(b"\r\n") else lines + b"\r\n"


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb\r", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\n\r\n..\r\n.\r\n"),
        (b"a\n\r.\r\n", b"a\r\n\r\n..\r\n.\r\n"),
        (b"..\r\n...\r\n", b"...\r\n....\r\n.\r\n"),
        (b"\xe4.\0\r\n", b"\xe4.\0\r\n.\r\n"),
    ],
)
def test_lines_with_dots_and_odd_ends(message: bytes, wire: bytes) -> None:
    for size in (1, 2, 3, 100):
        assert on_the_wire(cut(message, size)) == wire


@given(st.lists(st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"a", b"", b"\r\n."]), max_size=40))
def test_nothing_ends_it_early_and_no_cut_shows(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    wire = on_the_wire(pieces)
    assert wire == on_the_wire([whole])
    assert received(wire) == normal(whole)
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
