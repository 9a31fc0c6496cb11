"""What workers and their parent say to each other: short JSON messages, read as strictly as foreign input.

A call is ``[number, name, arguments]``; its answer ``[number, "", value]``, or ``[number, kind, text, code]`` for an error of
sesmail.errors. An order is ``[name, arguments]`` and has no answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sesmail import errors
from sesmail.errors import MailError, Malformed, Unavailable

# Octets; what a socket of the usual size lets through in one piece.
LONGEST = 160 * 1024
# Descriptors that may come with one answer.
MOST_DESCRIPTORS = 16

_KINDS: dict[str, type[MailError]] = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MailError) and kind is not MailError
}


def written(message: Sequence[object]) -> bytes:
    """One message. Raises ValueError for one that is too long or no JSON: then the caller is wrong."""
    data = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(data) > LONGEST:
        raise ValueError(f"a message of {len(data)} octets, more than {LONGEST}")
    return data


def call(number: int, name: str, arguments: Sequence[object]) -> bytes:
    """A call. Raises ValueError as `written`."""
    return written([number, name, arguments])


def failure(number: int, error: MailError) -> bytes:
    """The answer to a call that failed. The cause stays behind."""
    return written([number, type(error).__name__, error.public, error.smtp])


def read_call(data: bytes | memoryview) -> tuple[int, str, list[Any]]:
    """Number, name and arguments. Raises Malformed."""
    match _list(data):
        case [int(number), str(name), list(arguments)]:
            return number, name, arguments
    raise Malformed("that is no call")


def read_order(data: bytes | memoryview) -> tuple[str, list[Any]]:
    """Name and arguments. Raises Malformed."""
    match _list(data):
        case [str(name), list(arguments)]:
            return name, arguments
    raise Malformed("that is no order")


def read_answer(data: bytes | memoryview) -> tuple[int, object]:
    """Number, and the value or the error. Raises Malformed."""
    match _list(data):
        case [int(number), "", value]:
            return number, value
        case [int(number), str(kind), str(public), str() | None as smtp]:
            return number, _KINDS.get(kind, Unavailable)(public, smtp=smtp)
    raise Malformed("that is no answer")


def _list(data: bytes | memoryview) -> list[Any]:
    try:
        message = json.loads(bytes(data), parse_constant=_no_number)
    # A deep nest of brackets ends in a RecursionError.
    except (ValueError, RecursionError) as error:
        raise Malformed("that is no JSON", cause=error) from error
    if not isinstance(message, list):
        raise Malformed("that is no list")
    return message


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
