"""Options that say as whom AWS is asked: those of storage, of a place, and of ses."""

from __future__ import annotations

from typing import Protocol

from sesmail.config.read import Reading

WHO = ("access_key_id", "secret_access_key", "session_token", "profile", "assume_role", "external_id")


class Who(Protocol):
    """What has these options."""

    @property
    def access_key_id(self) -> str | None: ...
    @property
    def secret_access_key(self) -> str | None: ...
    @property
    def session_token(self) -> str | None: ...
    @property
    def profile(self) -> str | None: ...
    @property
    def assume_role(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...


def check(given: Who, path: str, reading: Reading) -> None:
    """Refuse halves: a key without its secret, an external id without a role."""
    if given.access_key_id and not given.secret_access_key:
        reading.refuse(f"{path}.access_key_id", "needs secret_access_key beside it")
    for name in ("secret_access_key", "session_token"):
        if getattr(given, name) and not given.access_key_id:
            reading.refuse(f"{path}.{name}", "needs access_key_id beside it")
    if given.access_key_id and given.profile:
        reading.refuse(f"{path}.profile", "cannot be used together with access_key_id")
    if given.external_id and not given.assume_role:
        reading.refuse(f"{path}.external_id", "needs assume_role beside it")
