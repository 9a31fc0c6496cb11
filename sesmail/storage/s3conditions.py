"""Conditions of writes, as headers: boto3 has parameters for some only since 1.35, for others since 1.40."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_conditions = threading.local()


def prepare(client: Any) -> None:
    """Make this client send what `sent_with` says. May be called more than once."""
    events = client.meta.events
    for operation in ("PutObject", "CopyObject"):
        events.register(f"before-call.s3.{operation}", _set_conditions, unique_id=f"sesmail-conditions-{operation}")
    # Where botocore sets the header too, and after it.
    events.register_last("before-call.s3", _do_not_expect, unique_id="sesmail-put-at-once")


@contextmanager
def sent_with(headers: Mapping[str, str]) -> Iterator[None]:
    """What this thread writes meanwhile goes with these headers."""
    _conditions.headers = headers
    try:
        yield
    finally:
        _conditions.headers = {}


def _set_conditions(params: dict[str, Any], **_: object) -> None:
    # Called in the calling thread, before it signs.
    params["headers"].update(getattr(_conditions, "headers", {}))


def _do_not_expect(params: dict[str, Any], **_: object) -> None:
    # To wait for "100 Continue" costs a round trip, and old botocore hangs when a busy server says it late.
    params["headers"].pop("Expect", None)
