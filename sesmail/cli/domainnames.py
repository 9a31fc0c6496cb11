"""Domains as arguments of commands."""

from __future__ import annotations

from collections.abc import Sequence

from sesmail.config.kinds import domain
from sesmail.config.problems import BadValue
from sesmail.errors import Malformed


def domain_names(texts: Sequence[str]) -> list[str]:
    """In lower case, each once. Raises Malformed for what is no domain that may have mail."""
    found: dict[str, None] = {}
    for text in texts:
        try:
            name = domain(text)
        except BadValue as error:
            raise Malformed(f"--domain {error}") from None
        if "." not in name or "_" in name:
            raise Malformed("--domain must be a domain such as example.com")
        found[name] = None
    return list(found)
