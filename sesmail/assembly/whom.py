"""As whom AWS is asked: credentials of one section are never mixed with those of another."""

from __future__ import annotations

from typing import TypedDict

from sesmail.config.credentials import WHO, Who
from sesmail.config.table import Config
from sesmail.interfaces import Keys


class As(TypedDict):
    """What a place in aws/ takes."""

    keys: Keys | None
    profile: str | None
    role: str | None
    external_id: str | None


def whom(given: Who, config: Config) -> As:
    """Those of a section or, if it has none at all, of storage."""
    who: Who = given if any(getattr(given, name) is not None for name in WHO) else config.storage
    key, secret = who.access_key_id, who.secret_access_key
    return As(
        keys=Keys(key, secret, who.session_token) if key and secret else None,
        profile=who.profile,
        role=who.assume_role,
        external_id=who.external_id,
    )
