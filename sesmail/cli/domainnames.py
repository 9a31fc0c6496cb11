"""Domains as arguments of commands."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sesmail.config.kinds import domain
from sesmail.config.problems import BadValue
from sesmail.errors import Malformed

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def domain_names(texts: Sequence[str]) -> list[str]:
    """In lower case, each once. Raises Malformed for what is no domain that may have mail."""
    return list(dict.fromkeys(host_name("--domain", text) for text in texts))


def host_name(option: str, text: str) -> str:
    """One, of two labels or more, in lower case. Raises Malformed with the name of the option."""
    try:
        name = domain(text)
    except BadValue as error:
        raise Malformed(f"{option} {error}") from None
    if "." not in name or not all(map(_LABEL.fullmatch, name.split("."))):
        raise Malformed(f"{option} must be a domain such as example.com")
    return name


def label(option: str, text: str) -> str:
    """What stands before a domain, or nothing. Raises Malformed with the name of the option."""
    if text and not _LABEL.fullmatch(text.lower()):
        raise Malformed(f"{option} must be a label such as mail, of letters, digits and hyphens")
    return text.lower()
