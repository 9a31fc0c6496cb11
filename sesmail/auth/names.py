"""Turn what a client typed as a login name into a local part and a domain, or refuse it, before anything is looked up.

Pure. A name that leaves here is safe as a part of a key: whatever could be a path, a reserved folder, a pattern or a
control sequence has been refused.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from sesmail.errors import BadLogin

LOCAL_OCTETS = 64
DOMAIN_OCTETS = 255

# What a path, a pattern (S3 policies, IMAP, Postfix maps) or passwd.txt gives a meaning to.
_MEANINGFUL = frozenset('/\\:*?%[]<>"')
_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")


class UnknownUser(BadLogin):
    """Not this checker's user. The only answer after which a chain asks the next checker."""


class Name(NamedTuple):
    """A login name in canonical form: folded, and safe as a part of a key."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def address(self) -> str | None:
        """The name as a mail address, None when it has no domain."""
        return str(self) if self.domain else None


def fold(text: str) -> str:
    """The form in which names are compared: composed (NFC), lower case."""
    return unicodedata.normalize("NFC", text).lower()


def folded(name: bytes) -> str:
    """A typed name, folded. Raises UnknownUser for what is not UTF-8."""
    try:
        return fold(name.decode("utf-8"))
    except UnicodeDecodeError:
        raise UnknownUser from None


class Names:
    """Which names are served here. `domains` None means any domain; `default_domain` is for names without ``@``."""

    def __init__(self, domains: frozenset[str] | None, default_domain: str = "") -> None:
        self._domains = None if domains is None else frozenset(map(fold, domains))
        self._default = fold(default_domain)

    def complete(self, name: bytes) -> str:
        """A typed name, folded, with the default domain where it has none. Raises UnknownUser for what is not UTF-8."""
        text = folded(name)
        return text if "@" in text or not self._default else f"{text}@{self._default}"

    def parse(self, name: bytes) -> Name:
        """Raises UnknownUser unless `name` is an address at a served domain that is safe as a part of a key."""
        return self._checked(*self.complete(name).rpartition("@")[::2])

    def user(self, name: bytes) -> Name:
        """The same, but a name without a domain is allowed where there is no default one; then `domain` is empty."""
        text = self.complete(name)
        if "@" in text:
            return self._checked(*text.rpartition("@")[::2])
        if not _safe_local(text):
            raise UnknownUser
        return Name(text, "")

    def is_default(self, domain: str) -> bool:
        """True for the domain of names that have none."""
        return domain == self._default

    def _checked(self, local: str, domain: str) -> Name:
        if not (_safe_local(local) and _is_domain(domain)):
            raise UnknownUser
        if self._domains is not None and domain not in self._domains:
            raise UnknownUser
        return Name(local, domain)


def _safe_local(local: str) -> bool:
    if not local or len(local.encode()) > LOCAL_OCTETS:
        return False
    # A leading dot or plus names what sesmail keeps beside the mail: ".sesmail/" and "+Folder/".
    if local[0] in ".+" or ".." in local or "@" in local:
        return False
    return local.isprintable() and " " not in local and _MEANINGFUL.isdisjoint(local)


def _is_domain(domain: str) -> bool:
    return len(domain) <= DOMAIN_OCTETS and _DOMAIN.match(domain) is not None
