"""Names that never repeat themselves."""

from __future__ import annotations

import secrets
import socket
import time

from sesmail.config.table import Config


def new_id() -> str:
    """An id for a message: it sorts by time, and no other process makes the same."""
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(5)}"


def hostname(config: Config) -> str:
    """What this machine calls itself in mail."""
    own = socket.gethostname().lower()
    return config.submission.hostname or (own if own.isascii() else "localhost")
