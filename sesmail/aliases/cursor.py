"""Where a page of aliases ended, as text that its reader hands back."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from sesmail.errors import Malformed

_CHARACTERS = 1000


def written(domain: str, local: str) -> str:
    """Of ASCII letters, digits, ``-``, ``_`` and ``=``; never empty."""
    return urlsafe_b64encode(json.dumps([domain, local]).encode()).decode()


def read(text: str) -> tuple[str, str]:
    """Domain and local part. Raises Malformed for what `written` did not make."""
    try:
        if not text.isascii() or len(text) > _CHARACTERS:
            raise ValueError
        domain, local = json.loads(urlsafe_b64decode(text))
        if not (
            isinstance(domain, str) and isinstance(local, str) and domain and local and domain.isascii() and local.isascii()
        ):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise Malformed("the list cannot be continued from there; begin it anew") from None
    return domain, local
