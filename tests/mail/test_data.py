"""DATA decoded, against a reference that goes octet by octet, and against everything that only resembles the end of a message."""

from __future__ import annotations

import itertools
import time
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesmail.mail.data import DataDecoder

END = b"\r\n.\r\n"
BITS = st.lists(
    st.sampled_from(
        [b".", b"..", b"\r", b"\n", b"\r\n", b"\r\n.", b"\n.", b".\r\n", b"a", b"MAIL FROM:<a@b.c>\r\n", b"\0", b"\xff"]
    ),
    max_size=40,
)
STREAM = BITS.map(b"".join)
CUTS = st.lists(st.integers(0, 80), max_size=12)

# What some server has once taken for a line end.
NEARLY = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\r",
    b"\r\r\n",
    b"\r\n\r",
    b"\0\r\n",
    b"\r\n\0",
    b"\r\0\n",
    b" \r\n",
    b"\r\n ",
    b"\x85",
    b"\v",
    b"\f",
]
NEARLY += [b"\xe2\x80\xa8", b"\r\n\t", b"\r \n", b"\x0d\x8a", b"\x8d\x0a", b"\r\n.", b"\x1a", b""]
SMUGGLED = [
    before + b"." + after
    for before, after in itertools.product(NEARLY, repeat=2)
    # As it would be inside a message: behind text and before a command.
    if END not in b"text" + before + b"." + after + b"MAIL"
]

Mode = Literal["refuse", "repair"]


def reference(stream: bytes) -> tuple[bytes, bytes | None]:
    """The undotted message and what follows it, None while it has not ended. RFC 5321 section 4.5.2, read slowly."""
    out = bytearray()
    starts_line = True
    at = 0
    while at < len(stream):
        if starts_line and stream.startswith(b".\r\n", at):
            return bytes(out), stream[at + 3 :]
        if not (starts_line and stream[at] == ord(".")):
            out.append(stream[at])
        starts_line = stream[max(at - 1, 0) : at + 1] == b"\r\n"
        at += 1
    return bytes(out), None


def through(decoder: DataDecoder, stream: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """What comes out in all, and what was behind the end."""
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    out, rest = [], b""
    for start, end in itertools.pairwise(edges):
        if decoder.ended:
            rest += stream[start:end]
        else:
            out.append(decoder.feed(stream[start:end]))
            rest += decoder.rest
    return b"".join(out), rest


def is_clean(message: bytes) -> bool:
    return message.count(b"\r") == message.count(b"\n") == message.count(b"\r\n")


@settings(max_examples=1000, deadline=None)
@given(STREAM, CUTS)
def test_any_cut_gives_what_the_reference_gives(stream: bytes, cuts: list[int]) -> None:
    decoder = DataDecoder()
    out, rest = through(decoder, stream, cuts)
    message, behind = reference(stream)
    assert decoder.ended == (behind is not None)
    if behind is None:
        assert message.startswith(out)
        assert len(message) - len(out) <= 4
    else:
        assert (out, rest) == (message, behind)
        assert decoder.bare != is_clean(stream[: len(stream) - len(behind)])


@settings(max_examples=1000, deadline=None)
@given(STREAM, CUTS)
def test_a_repaired_message_has_no_lone_cr_or_lf_and_ends_where_the_refused_one_does(stream: bytes, cuts: list[int]) -> None:
    refusing, repairing = DataDecoder(bare="refuse"), DataDecoder(bare="repair")
    refused, rest = through(refusing, stream, cuts)
    repaired, rest_of_repaired = through(repairing, stream, cuts)
    assert (repairing.ended, repairing.bare, rest_of_repaired) == (refusing.ended, refusing.bare, rest)
    assert is_clean(repaired)
    mended = refused.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    assert repaired == mended


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x", b"x.", b"\0"])), CUTS)
def test_whatever_is_stuffed_comes_out_as_it_was(lines: list[bytes], cuts: list[int]) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    stuffed = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
    decoder = DataDecoder()
    out, rest = through(decoder, stuffed + END[2:] + b"QUIT\r\n", cuts)
    assert (decoder.ended, out, rest) == (True, message, b"QUIT\r\n")


@pytest.mark.parametrize("mode", ["refuse", "repair"])
def test_what_resembles_the_end_never_ends_a_message_however_it_is_cut(mode: Mode) -> None:
    before = b"Subject: x\r\n\r\ntext"
    for variant in SMUGGLED:
        stream = before + variant + b"MAIL FROM:<boss@example.com>\r\n" + END[2:] + b"QUIT\r\n"
        for cut in range(len(before), len(before) + len(variant) + 2):
            decoder = DataDecoder(bare=mode)
            out, rest = through(decoder, stream, [cut])
            assert (decoder.ended, rest) == (True, b"QUIT\r\n"), variant
            assert out.endswith(b"MAIL FROM:<boss@example.com>\r\n"), variant
            assert decoder.bare != is_clean(variant), variant
            assert mode == "refuse" or is_clean(out), variant


def test_a_repaired_message_does_not_end_early_at_the_next_hop_either() -> None:
    for variant in SMUGGLED:
        message = DataDecoder(bare="repair").feed(b"text" + variant + b"RCPT\r\n.\r\n")
        again = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
        next_hop = DataDecoder()
        assert next_hop.feed(again) == message, variant
        assert (next_hop.ended, next_hop.bare, next_hop.rest) == (True, False, b""), variant


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b".x\r\n.\r\n", b"x\r\n"),
        (b"a\r\n..\r\n...\r\n.\r\n", b"a\r\n.\r\n..\r\n"),
    ],
)
def test_dots_at_the_beginning_are_no_exception(stream: bytes, message: bytes) -> None:
    for cut in range(len(stream)):
        decoder = DataDecoder()
        assert through(decoder, stream, [cut]) == (message, b"")
        assert decoder.ended


def test_a_line_of_any_length_goes_through_as_it_comes() -> None:
    decoder = DataDecoder()
    piece = b"x" * 100_000
    assert all(decoder.feed(piece) == piece for _ in range(50))
    assert not decoder.ended


@pytest.mark.parametrize("line", [b"A" * 76 + b"\r\n", b"ab\r\n", b"..\r\n", b"x" * 60_000 + b"\r\n", b"a\n", b"\r"])
def test_decoding_is_done_in_strides(line: bytes) -> None:
    piece = line * (65536 // len(line))
    decoder = DataDecoder(bare="repair")
    began = time.process_time()
    for _ in range(100):
        decoder.feed(piece)
    # A loop over lines or octets takes several times as long; an idle machine needs a tenth of a second at most.
    assert time.process_time() - began < 1
