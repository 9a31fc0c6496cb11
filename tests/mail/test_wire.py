"""What RETR and TOP send, against a reference that sees the whole message at once."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesmail.mail.wire import Form, Top, Wire

BITS = st.lists(
    st.sampled_from([b".", b"..", b"\r", b"\n", b"\r\n", b"\r\n.", b"\n.", b"a", b"From x", b"\0", b"\xff", b" "]), max_size=40
)
MAIL = BITS.map(b"".join)
CUTS = st.lists(st.integers(0, 80), max_size=12)


def crlf(stored: bytes) -> bytes:
    form = re.sub(rb"(?<!\r)\n", b"\r\n", stored)
    return form if not form or form.endswith(b"\r\n") else form + b"\r\n"


def stuffed(form: bytes) -> bytes:
    return b"".join(b"." + line if line.startswith(b".") else line for line in form.split(b"\n") for line in [line + b"\n"])[
        :-1
    ]


def top(stored: bytes, count: int) -> bytes:
    lines = stored.split(b"\n")
    ends = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    blank = next((number for number, line in enumerate(ends) if line in (b"\n", b"\r\n")), len(ends))
    return b"".join(ends[: blank + 1 + count])


def through(form: Form, stored: bytes, cuts: list[int]) -> bytes:
    edges = sorted({0, len(stored), *(cut for cut in cuts if cut < len(stored))})
    pieces = [stored[start:end] for start, end in itertools.pairwise(edges)]
    return b"".join([*map(form.feed, pieces), form.finish()])


@settings(max_examples=2000, deadline=None)
@given(MAIL, CUTS)
def test_any_cut_gives_the_crlf_form_stuffed_and_counts_it(stored: bytes, cuts: list[int]) -> None:
    wire = Wire()
    assert through(wire, stored, cuts) == stuffed(crlf(stored))
    assert wire.octets == len(crlf(stored))


@settings(max_examples=2000, deadline=None)
@given(MAIL, st.integers(0, 12), CUTS)
def test_any_cut_gives_the_same_top(stored: bytes, count: int, cuts: list[int]) -> None:
    assert through(Top(count), stored, cuts) == stuffed(crlf(top(stored, count)))


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [4096, 16384, 65536, 262144])
def test_a_dot_behind_every_piece_boundary_is_stuffed(newline: bytes, size: int) -> None:
    for shift in range(4):
        head = b"x" * (size - len(newline) - shift) + newline
        stored = head + b".\r\nMAIL FROM:<evil@example.com>\r\n"
        sent = through(Wire(), stored, [size, size + 1, size - 1])
        assert sent == stuffed(crlf(stored))
        assert b"\n.\r\n" not in sent


def test_a_message_cut_into_single_octets_comes_out_the_same() -> None:
    stored = b".\r\n..\r\n\n.\r.\n\r\r\n.end"
    assert through(Wire(), stored, list(range(len(stored)))) == b"..\r\n...\r\n\r\n..\r.\r\n\r\r\n..end\r\n"


@pytest.mark.parametrize(
    ("stored", "octets"),
    [(b"", 0), (b"\n", 2), (b"a", 3), (b"a\r", 4), (b"a\n", 3), (b"a\r\n", 3), (b"\r\r\n", 3), (b".\r\n", 3)],
)
def test_octets_are_those_of_the_crlf_form_before_stuffing(stored: bytes, octets: int) -> None:
    wire = Wire()
    through(wire, stored, [])
    assert wire.octets == octets


def test_top_is_done_at_its_last_line_and_takes_nothing_more() -> None:
    form = Top(1)
    assert form.feed(b"A: b\r\n\r\none\r\ntwo\r\n") == b"A: b\r\n\r\none\r\n"
    assert form.done
    assert form.feed(b"three\r\n") == b""
    assert form.finish() == b""


def test_top_of_no_lines_ends_with_the_blank_line() -> None:
    form = Top(0)
    assert form.feed(b"A: b\r\n\r") == b"A: b\r\n\r"
    assert not form.done
    assert form.feed(b"\nbody") == b"\n"
    assert form.done


def test_top_takes_a_line_count_beyond_any_message() -> None:
    assert through(Top(10**30), b"A: b\n\nbody", []) == b"A: b\r\n\r\nbody\r\n"


def test_mail_in_crlf_form_is_not_rewritten_line_by_line() -> None:
    piece = (b"x" * 74 + b"\r\n") * 3400
    wire = Wire()
    wire.feed(piece)
    best = min(_seconds(wire, piece) for _ in range(5))
    # Measured 0.5 GB/s and more; a loop over lines makes 0.05.
    assert len(piece) / best > 150e6


def _seconds(wire: Wire, piece: bytes) -> float:
    began = time.perf_counter()
    for _ in range(20):
        wire.feed(piece)
    return (time.perf_counter() - began) / 20
