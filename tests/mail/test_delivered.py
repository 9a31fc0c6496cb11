"""The fields that delivery puts before a message, once."""

from __future__ import annotations

import pytest

from sesmail.mail.delivered import fields

PATH, TOM, ANN = (
    b"Return-Path: <x@example.org>\r\n",
    b"X-Original-To: tom@example.com\r\n",
    b"X-Original-To: ann@example.com\r\n",
)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (b"", PATH + TOM + ANN),
        (b"Received: by mx\r\n", PATH + TOM + ANN),
        (PATH + TOM + b"Delivered-To: tom@example.com\r\nReceived: by mx\r\n", ANN),
        (PATH + b"Delivered-To: tom@example.com\r\n" + ANN + TOM, b""),
        # What is not what the envelope says does not count, nor does what other servers have put their fields above.
        (b"Return-Path: <y@example.org>\r\nX-Original-To: TOM@example.com\r\n", PATH + TOM + ANN),
        (b"Received: by mx\r\n" + PATH + TOM, PATH + TOM + ANN),
        (b"Return-Path: <x@example.org>", PATH + TOM + ANN),
        (PATH + b" more\r\n" + TOM, PATH + TOM + ANN),
    ],
)
def test_what_pipe_has_written_is_not_written_again(top: bytes, expected: bytes) -> None:
    assert fields("x@example.org", ["tom@example.com", "ann@example.com"], top) == expected


def test_a_null_sender_has_an_empty_path() -> None:
    assert fields("", ["tom@example.com"]) == b"Return-Path: <>\r\n" + TOM
    assert fields("", ["tom@example.com"], b"Return-Path: <>\r\n") == TOM
