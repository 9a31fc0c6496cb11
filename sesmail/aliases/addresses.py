"""The addresses that may stand in a table: in lower case, without quotes, the domain in A-labels (IDNA 2008) and of two labels at least."""

from __future__ import annotations

from sesmail.aliases.records import IN_STORE, Alias, DestinationRecord, Domain
from sesmail.errors import Malformed
from sesmail.mail.address import Address, quoted

MOST_DESTINATIONS = 50
DESCRIPTION_CHARACTERS = 1000
NAME_CHARACTERS = 254
"""Of an owner and of an identifier."""


def alias_address(text: str) -> tuple[str, str]:
    """Local part and domain as a table keeps them. Raises Malformed, also for what could only be written in quotes."""
    address = Address.parse(text.strip())
    if quoted(address.local) != address.local:
        raise Malformed("the part of an alias before the @ has letters, digits and signs, and dots between them")
    if not address.qualified:
        raise Malformed("the domain of an alias has at least one dot")
    return address.local.lower(), address.domain


def domain_name(text: str) -> str:
    """A domain as a table keeps it. Raises Malformed."""
    return alias_address(f"x@{text.strip()}")[1]


def destination(text: str) -> str:
    """An address as a table keeps it, or IN_STORE, which may be written in any case. Raises Malformed."""
    if text.strip().upper() == IN_STORE:
        return IN_STORE
    return "@".join(alias_address(text))


def checked_alias(alias: Alias) -> None:
    """Raises Malformed, in words for whoever wrote it, for what no table takes."""
    if alias_address(alias.address) != (alias.local, alias.domain):
        raise Malformed("an alias is written in lower case")
    if not 0 < len(alias.identifier) <= NAME_CHARACTERS:
        raise Malformed(f"an identifier has 1 to {NAME_CHARACTERS} characters")
    if not alias.destinations:
        raise Malformed("an alias has at least one destination")
    _destinations(alias.destinations)
    _text(alias.owner, NAME_CHARACTERS, "an owner")
    _text(alias.identifier, NAME_CHARACTERS, "an identifier")
    _text(alias.description, DESCRIPTION_CHARACTERS, "a description")


def checked_domain(domain: Domain) -> None:
    """As checked_alias."""
    if domain_name(domain.name) != domain.name:
        raise Malformed("a domain is written in lower case")
    _destinations(domain.catch_all)
    _text(domain.description, DESCRIPTION_CHARACTERS, "a description")


def checked_destination(record: DestinationRecord) -> None:
    """As checked_alias."""
    _destinations((record.address,))


def _destinations(given: tuple[str, ...]) -> None:
    if len(given) > MOST_DESTINATIONS:
        raise Malformed(f"there are at most {MOST_DESTINATIONS} destinations")
    if len(set(given)) < len(given):
        raise Malformed("a destination stands there twice")
    for one in given:
        if destination(one) != one:
            raise Malformed("a destination is an address in lower case, or S3")


def _text(text: str, most: int, what: str) -> None:
    if len(text) > most:
        raise Malformed(f"{what} has at most {most} characters")
    if not text.isprintable():
        raise Malformed(f"{what} has no control characters and is one line")
