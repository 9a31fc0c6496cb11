"""Line ends are changed alike however a message was cut."""

from __future__ import annotations

import io
import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from sesmail.delivery.lineends import pieces, with_crlf, with_lf

_CUT = st.lists(st.text("\r\nxy", max_size=5).map(str.encode), max_size=8)


@given(_CUT)
def test_crlf_becomes_lf_and_nothing_else_changes(cut: list[bytes]) -> None:
    assert b"".join(with_lf(iter(cut))) == b"".join(cut).replace(b"\r\n", b"\n")


@given(_CUT)
def test_lf_becomes_crlf_once_and_nothing_else_changes(cut: list[bytes]) -> None:
    assert b"".join(with_crlf(iter(cut))) == re.sub(rb"\r?\n", b"\r\n", b"".join(cut))


def test_a_file_comes_in_pieces_from_where_it_stands() -> None:
    file = io.BytesIO(bytes(200_000))
    file.seek(1000)
    found = list(pieces(file))
    assert sum(map(len, found)) == 199_000
    assert len(found) > 2
    assert list(itertools.chain(pieces(file))) == []
