"""Where configuration files are, and their text."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping as Environ

from sesmail.config.problems import ConfigError, Problem, Where

PREFIX = "SESMAIL__"
"""With which variables begin that stand over a file."""

_LONGEST = 4 << 20


def read_text(source: str) -> str:
    """The whole file. Raises ConfigError for one that cannot be read, is no UTF-8 or longer than 4 MiB."""
    try:
        with open(source, "rb") as file:
            octets = file.read(_LONGEST + 1)
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError([Problem(Where(source, exc.object.count(b"\n", 0, exc.start) + 1), "", "not UTF-8 text")]) from None
    except (OSError, ValueError) as exc:
        raise ConfigError(
            [Problem(Where(source), "", f"cannot be read: {getattr(exc, 'strerror', None) or 'not a path'}")]
        ) from None
    if len(octets) > _LONGEST:
        raise ConfigError([Problem(Where(source), "", "too long for a configuration")])
    return text


def search_order(environ: Environ[str, str]) -> list[str]:
    """Where a file is looked for when none is named; the first that exists is taken, even if it cannot be read."""
    home = environ.get("HOME")
    own = [f"{home}/.config/sesmail/sesmail.yaml"] if home else []
    return ["/etc/sesmail/sesmail.yaml", *own, "./sesmail.yaml"]


def first_of(names: Iterable[str]) -> str | None:
    """The first of these that exists, even if it cannot be read."""
    return next((name for name in names if os.path.lexists(name)), None)
