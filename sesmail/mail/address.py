"""Mail addresses (RFC 5321 section 4.1.2) as they are kept: the local part unquoted, the domain in lower-case A-labels.

There is no SMTPUTF8 here: a local part is printable ASCII. A domain may come in U-labels and is kept in A-labels (IDNA 2008).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sesmail.errors import Malformed

LOCAL_OCTETS = 64
DOMAIN_OCTETS = 255
ADDRESS_OCTETS = 254

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PRINTABLE = re.compile(r"[ -~]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PAIR = re.compile(r"\\(.)")
_NEEDS_PAIR = re.compile(r'(["\\])')
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# The last label is no number: else "user@192.0.2.1" would be a domain.
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
_ROUTE = r"(?:@[A-Za-z0-9.,@_-]+:)?"
_PATH = re.compile(
    rf'[ ]*<(?:{_ROUTE}(?P<address>(?:"(?:[^"\\]|\\.)*"|[^"<>\s])+))?>(?:[ ]+(?P<rest>.*?)[ ]*)?', re.DOTALL | re.ASCII
)

NOT_ASCII = "553 5.6.7"
"""The answer to an address that only SMTPUTF8 could carry (RFC 6531 section 3.5)."""


@dataclass(frozen=True)
class Address:
    """One mailbox. Use `parse`: it alone checks."""

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``local@domain``, the local part quoted or not. The local part has 1-64 octets, the whole at most 254.

        Raises Malformed for everything else: no domain, an address literal, control characters; for a local part that is not ASCII
        with the reply code NOT_ASCII.
        """
        return _parsed(text)

    def __str__(self) -> str:
        return f"{quoted(self.local)}@{self.domain}"

    @property
    def qualified(self) -> bool:
        """True when the domain has more than one label."""
        return "." in self.domain

    @property
    def without_tag(self) -> Address:
        """The address without what follows the first ``+`` of its local part; itself where there is no tag."""
        user, _, _ = self.local.partition("+")
        return Address(user, self.domain) if user else self


# One address is asked about at MAIL, in the header, by each rule and for the log.
@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address:
    written, at, domain = text.rpartition("@")
    if not at or not written or not domain:
        raise Malformed("an address has the form name@domain")
    address = Address(_local(written), _domain(domain))
    if len(str(address)) > ADDRESS_OCTETS:
        raise Malformed(f"an address has at most {ADDRESS_OCTETS} characters")
    return address


def quoted(local: str) -> str:
    """A local part as it is written in an address: quoted only where it must be."""
    return local if _ATOMS.fullmatch(local) else '"' + _NEEDS_PAIR.sub(r"\\\1", local) + '"'


def same(one: Address | str, other: Address | str) -> bool:
    """True when both are the same mailbox as logins are compared: in any case. Text must be in the form that `str` gives."""
    return str(one).lower() == str(other).lower()


def path(argument: bytes) -> tuple[str, bytes]:
    """Read what follows ``MAIL FROM:`` or ``RCPT TO:``: the address as `str(Address)` gives it, and the ESMTP parameters.

    The null path ``<>`` gives ``""``. A source route is dropped (RFC 5321 appendix F.2). Raises Malformed as `Address.parse` does, and for
    a path without angle brackets.
    """
    try:
        text = argument.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("an address is ASCII", smtp=NOT_ASCII) from None
    address, parameters = _divided(text)
    return (str(Address.parse(address)) if address else ""), parameters


def any_path(argument: bytes) -> tuple[str, bytes]:
    """As `path`, but ``""`` too for what stands in the angle brackets and is no address here. Raises Malformed without brackets."""
    written, parameters = _divided(argument.decode("utf-8", "replace"))
    try:
        return (str(Address.parse(written)) if written else ""), parameters
    except Malformed:
        return "", parameters


def _divided(text: str) -> tuple[str, bytes]:
    found = _PATH.fullmatch(text)
    if found is None:
        raise Malformed("an address stands in angle brackets: <name@domain>")
    return found["address"] or "", (found["rest"] or "").encode("utf-8")


def _local(written: str) -> str:
    if not written.isascii():
        raise Malformed("the part of an address before the @ must be ASCII here", smtp=NOT_ASCII)
    local = _unquoted(written)
    if len(local) > LOCAL_OCTETS:
        raise Malformed(f"the part of an address before the @ has at most {LOCAL_OCTETS} characters")
    return local


def _unquoted(written: str) -> str:
    if _ATOMS.fullmatch(written):
        return written
    inside = _QUOTED.fullmatch(written)
    local = _PAIR.sub(r"\1", inside[1]) if inside else ""
    if not _PRINTABLE.fullmatch(local):
        raise Malformed("not an address: the part before the @ is misspelt, or must be quoted")
    return local


def _domain(written: str) -> str:
    if written.startswith("["):
        raise Malformed("an address must have a domain name, not an IP address")
    if len(written) > DOMAIN_OCTETS:
        raise Malformed(f"a domain has at most {DOMAIN_OCTETS} characters")
    domain = _a_labels(written).lower()
    if len(domain) > DOMAIN_OCTETS or not _DOMAIN.fullmatch(domain):
        raise Malformed("not an address: the domain is misspelt")
    return domain


def _a_labels(written: str) -> str:
    if written.isascii():
        return written
    # Few need it, and a command that is to start at once none.
    import idna

    try:
        # UTS 46 lowers the case and composes, as a program would that shows U-labels.
        return idna.encode(written, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise Malformed("not an address: this domain cannot exist") from None
