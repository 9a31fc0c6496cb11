"""A message in a file of this machine."""

from __future__ import annotations

import io
from contextlib import closing

from sesmail.delivery.filed import FiledMessage
from sesmail.delivery.message import Arrival
from sesmail.delivery.prefixed import prefixed
from sesmail.mail import delivered
from tests.delivery.sorting import MAIL, TOM

_LONG = MAIL + b"and so on\r\n" * delivered.TOP


def _message(file: io.BytesIO) -> FiledMessage:
    return FiledMessage(file, Arrival("id", "x@example.org", (TOM,), 0), None)  # type: ignore[arg-type]


def test_whoever_asks_for_its_fields_while_he_reads_misses_nothing() -> None:
    message = _message(io.BytesIO(_LONG))
    with closing(message.open()) as file, prefixed(message.fields((TOM,)), file) as whole:
        read = whole.read()
    assert read == b"Return-Path: <x@example.org>\r\nX-Original-To: tom@example.com\r\n" + _LONG


def test_it_begins_where_the_file_stood_and_leaves_it_there() -> None:
    file = io.BytesIO(b"something else" + MAIL)
    file.seek(14)
    message = _message(file)
    assert file.tell() == 14
    message.fields((TOM,))
    with closing(message.open()) as opened:
        assert opened.read() == MAIL
