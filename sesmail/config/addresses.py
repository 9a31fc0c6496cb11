"""Kinds of values that are mail addresses, or stand for many."""

from __future__ import annotations

import re

from sesmail.config.kinds import Text, domain
from sesmail.config.problems import BadValue

# Quoted local parts are nobody's here.
_LOCAL = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}")


def _address(text: str) -> str:
    local, at, host = text.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        raise BadValue("must be an address such as tom@example.com")
    return f"{local.lower()}@{domain(host)}"


def _address_or_domain(text: str) -> str:
    return f"@{domain(text[1:])}" if text.startswith("@") else _address(text)


def _pattern(text: str) -> str:
    return _address_or_domain(text if "@" in text else f"@{text}")


ADDRESS = Text("address", _address)
"""An address, in lower case."""

ADDRESS_OR_DOMAIN = Text("address", _address_or_domain)
"""An address, or ``@domain`` for every address of that domain; in lower case."""

PATTERN = Text("address", _pattern)
"""The same, and a domain may be written without ``@``."""


def _map(text: str) -> str:
    if not re.fullmatch(r"(?:pcre|regexp|hash|texthash|btree|cdb|dbm|lmdb):/.{1,4000}", text):
        raise BadValue(
            "must be a type and an absolute path, such as pcre:/etc/postfix/table; types are pcre, regexp, hash, texthash"
        )
    return text


MAP = Text("TYPE:PATH", _map)


def _target(text: str) -> str:
    if not 0 < len(text) <= 4096 or text != text.strip():
        raise BadValue("must be a target such as tom@example.com or lmtp:tom, without spaces around it")
    return text


TARGET = Text("target", _target)
"""What an address leads to, as sesmail.delivery.targets reads it, which alone knows whether it can be used."""
