"""What of a changed configuration a running gateway takes on, and what waits for its next start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sesmail.config.option import options
from sesmail.config.table import Config, sections

IN_PLACE = frozenset(
    {
        "log.level",
        "log.format",
        "tls.certificates",
        "auth.checkers",
        "auth.users",
        "auth.passwd_cache",
        "auth.passwd_file",
        "auth.upgrade",
        "auth.jwt_secret",
        "auth.jwt_max_age",
        "auth.http_url",
        "auth.http_insecure",
        "auth.dovecot",
        "aliases.map",
        "monitor.clients",
        "monitor.ready_seconds",
        "monitor.ready_timeout",
    }
)
# Where nobody ever submitted, nothing was made that could take a message: only POP3 and monitoring need no more than a door.
_NEED_ONE = frozenset({"submission.listeners", "lmtp.listeners", "sns.listeners", "page.listeners"})
_LISTENERS = _NEED_ONE | {"pop3.listeners", "monitor.listeners"}


@dataclass(frozen=True)
class Change:
    """`config` is the old configuration with what was taken on of the new one: the options `taken`. The options `left` changed too,
    and have the values of the start."""

    config: Config
    taken: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def change(old: Config, new: Config) -> Change:
    """From the configuration that the gateway runs by to the one that was read."""
    differing = tuple(_differing(old, new))
    taken = tuple(name for name in differing if _is_taken(name, old, new))
    config = replace(old, source=new.source, warnings=new.warnings)
    for name in taken:
        section, key = name.split(".")
        value = getattr(getattr(new, section), key)
        config = replace(config, **{section: replace(getattr(config, section), **{key: value})})
    return Change(config, taken, tuple(name for name in differing if name not in taken))


def _differing(old: Config, new: Config) -> Iterator[str]:
    for section, cls in sections().items():
        before: Any = getattr(old, section)
        after: Any = getattr(new, section)
        for key, one in options(cls).items():
            if getattr(before, one.name) != getattr(after, one.name):
                yield f"{section}.{key}"


def _is_taken(name: str, old: Config, new: Config) -> bool:
    if name in _LISTENERS:
        return name not in _NEED_ONE or bool(old.listeners[name])
    if name == "aliases.map":
        return bool(old.aliases.map) and bool(new.aliases.map)
    return name in IN_PLACE
