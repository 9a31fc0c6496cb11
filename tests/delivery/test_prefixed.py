"""Octets in front of a file are read as one file, in pieces of any size and from any place."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.delivery.prefixed import prefixed


@given(st.binary(max_size=40), st.binary(max_size=40), st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=8))
def test_it_reads_as_the_joined_octets_do(head: bytes, rest: bytes, reads: list[tuple[int, int]]) -> None:
    file = io.BytesIO(b"before" + rest)
    file.seek(6)
    one, other = prefixed(head, file), io.BytesIO(head + rest)
    for place, count in reads:
        assert (one.seek(place), one.read(count), one.tell()) == (other.seek(place), other.read(count), other.tell())
    assert (one.seek(0), one.read()) == (0, head + rest)
    assert one.seek(0, os.SEEK_END) == len(head + rest)


def test_a_large_file_is_read_in_pieces_and_stays_open() -> None:
    file = io.BytesIO(b"x" * 300_000)
    with prefixed(b"head", file) as whole:
        assert b"".join(iter(lambda: whole.read(65_536), b"")) == b"head" + b"x" * 300_000
    assert not file.closed


def test_there_is_nothing_before_the_beginning() -> None:
    with pytest.raises(ValueError, match="before"):
        prefixed(b"head", io.BytesIO()).seek(-5, os.SEEK_END)
