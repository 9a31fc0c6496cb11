"""Tokens with which programs use the API: signed, for nothing else, and not for ever. Imports no Twisted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sesmail.api.http import Caller
from sesmail.auth import tokens
from sesmail.auth.tokens import BadToken
from sesmail.errors import BadLogin, Malformed
from sesmail.mail.address import Address

log = logging.getLogger(__name__)

AUDIENCE = "sesmail-api"
"""What ``aud`` (RFC 7519 section 4.1.3) must be."""

CHARACTERS = 4096
"""The longest token that is looked at."""


def claims(email: str, expires: int) -> dict[str, object]:
    """What a token for this address says. `expires`: seconds since 1970. Raises Malformed for what is no address."""
    return {"email": str(Address.parse(email)).lower(), "aud": AUDIENCE, "exp": expires}


def caller(token: str, secret: str, now: float, admins: Collection[str] = (), account: Callable[[str], str] = str) -> Caller:
    """Who the token is for: `account` gives the name that the account of an address has, and `admins` are such names. Raises BadLogin,
    and logs why.

    A token for POP3 is refused whatever it is signed with: it has no ``aud`` or another one, and may hold keys of AWS.
    """
    try:
        if len(token) > CHARACTERS:
            raise BadToken("it is too long")
        return _caller(tokens.read(token.encode("ascii", "replace"), secret, now), admins, account)
    except BadToken as error:
        log.info("a token for the API is refused: %s", error)
        raise BadLogin("this token is not valid here; ask for a new one") from None


def bearer(authorization: str) -> str | None:
    """The token of an Authorization header (RFC 6750 section 2.1); None where it has none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _caller(said: Mapping[str, Any], admins: Collection[str], account: Callable[[str], str]) -> Caller:
    if said.get("aud") != AUDIENCE:
        raise BadToken("it is for something else")
    if any(name.startswith("aws") for name in said):
        raise BadToken("it holds keys of AWS")
    if not said.get("exp"):
        raise BadToken("it never expires")
    email = said.get("email")
    try:
        address = str(Address.parse(email)).lower() if isinstance(email, str) else ""
    except Malformed:
        address = ""
    if not address:
        raise BadToken("it has no address")
    name = account(address)
    return Caller(name, admin=name in admins, address=address)
