"""One line per fate of a mail, as ``word key=value ...``; diagnostics go through ordinary loggers beside it.

Values come from mail clients and are hostile: anything but plain words is quoted and escaped, so that no value can end the
line or look like another field. Never pass a password, token, key or message body.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from sesmail.counters import Counter

FATES = frozenset(
    {
        "received",
        "sorted",
        "retrieved",
        "deleted",
        "accepted",
        "sent",
        "returned",
        "complained",
        "delivered",
        "forwarded",
        "bounced",
        "held",
        "dropped",
        "login",
        "login-refused",
    }
)

FATE = "sesmail.fate"
"""The name of the logger that tells of fates."""

_count = Counter(
    "sesmail_fates_total", "Lines of the log that say what became of a mail or a login, by their first word.", ("fate",)
)
_count.expect(*sorted(FATES))
_fates = logging.getLogger(FATE)


def _to_logger(word: str, fields: Mapping[str, object]) -> None:
    _fates.info("%s", line(word, **fields))


Write: TypeAlias = Callable[[str, Mapping[str, object]], object]
"""Is given the word of a fate and its fields, None left out."""

_write: Write = _to_logger
_queue_id: ContextVar[str | None] = ContextVar("queue_id", default=None)
_LONGEST = 200
_PLAIN = re.compile(r"[A-Za-z0-9_.@:/+\-\[\]%]+\Z")


def fate(word: str, **fields: object) -> None:
    """Log what became of a mail or a login. `word` is one of FATES; fields keep their order, None is left out."""
    if word not in FATES:
        raise ValueError(f"not a fate: {word!r}")
    _count.add(word)
    queue_id = _queue_id.get()
    if queue_id is not None and queue_id != fields.get("id"):
        fields.setdefault("queue_id", queue_id)
    _write(word, {name: value for name, value in fields.items() if value is not None})


@contextmanager
def under(queue_id: str | None) -> Iterator[None]:
    """Within, fates of other ids have this one too, as `queue_id`: that by which a queue, ours or another server's, knows the message of
    which they tell. For the thread alone that is in here."""
    before = _queue_id.set(queue_id)
    try:
        yield
    finally:
        _queue_id.reset(before)


def write_fates(write: Write = _to_logger) -> None:
    """Give fates to `write` from now on, by default to the logger, as lines. A daemon's log has a cheaper way in than a record of the
    standard library, which costs more than all else about a line."""
    global _write
    _write = write


def lists(values: Iterable[str]) -> Iterator[str]:
    """All of them, comma between, in as many pieces as it takes so that `quoted` cuts none off; one that is empty where there is none."""
    piece = ""
    for value in values:
        if piece and len(piece) + 1 + len(value) > _LONGEST:
            yield piece
            piece = ""
        piece += ("," if piece else "") + value
    yield piece


def line(word: str, **fields: object) -> str:
    """The line that `fate` logs."""
    return " ".join([word, *(f"{name}={quoted(value)}" for name, value in fields.items() if value is not None)])


def quoted(value: object) -> str:
    """A value as it may stand in a log line: itself when plain, else a JSON string in ASCII, at most 200 characters of it."""
    text = cut(value)
    return text if _PLAIN.match(text) else json.dumps(text)


def cut(value: object) -> str:
    """At most 200 characters of a value as text."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return text[:_LONGEST]
