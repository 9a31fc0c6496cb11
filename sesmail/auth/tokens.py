"""Signed tokens (JWT, RFC 7519, as compact JWS): their shape, signature and times. Imports no Twisted; takes microseconds."""

from __future__ import annotations

import binascii
import json
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

import jwt

from sesmail.auth.grants import Incomplete, text

ALGORITHMS = ("HS256", "HS384", "HS512")
# What RFC 7518 section 3.2 wants of an HS256 key; shorter ones verify all the same.
SECRET_OCTETS = 32

# The admin hears of a short secret once, from us, and not at each login.
warnings.filterwarnings("ignore", message="The HMAC key is ")


class BadToken(ValueError):
    """Says why a token is refused, in words of ours alone: nothing of the token is in it."""


def shaped(password: bytes) -> bool:
    """True for what is meant to be a token, valid or not: text before a dot that decodes to a JSON object."""
    header, dot, _ = password.strip().partition(b".")
    if not dot:
        return False
    try:
        return isinstance(json.loads(urlsafe_b64decode(header + b"=" * (-len(header) % 4))), dict)
    except RecursionError:
        return True
    except (ValueError, binascii.Error):
        return False


def read(token: bytes, secret: str, now: float, *, max_age: float | None = None) -> Mapping[str, Any]:
    """The claims of a token that was signed with `secret` and is valid at `now` (Unix time). Raises BadToken.

    Only HS256, HS384 and HS512 count as signed. ``exp``, ``nbf`` and ``iat`` are whole seconds without leeway, and absent when 0;
    ``aud``, ``iss``, ``sub`` and ``jti`` are not looked at. With `max_age` (seconds) a token must say when it was issued.
    """
    if not secret:
        raise BadToken("there is no secret to verify it with")
    try:
        payload = jwt.PyJWS().decode(token.strip().decode("ascii"), secret.encode(), algorithms=list(ALGORITHMS))
        claims = json.loads(payload, parse_constant=_no_number)
    except jwt.InvalidSignatureError:
        raise BadToken("its signature is not ours") from None
    except jwt.InvalidAlgorithmError:
        raise BadToken(f"it is signed by none of {', '.join(ALGORITHMS)}") from None
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise BadToken("it is no token") from None
    if not isinstance(claims, dict):
        raise BadToken("its claims are no object")
    _in_time(claims, int(now), max_age)
    return claims


def make(claims: Mapping[str, Any], secret: str, algorithm: str = "HS256") -> str:
    """A signed token. Raises ValueError for an empty secret or an algorithm that is not one of ALGORITHMS."""
    if not secret or algorithm not in ALGORITHMS:
        raise ValueError("needs a secret, and one of " + ", ".join(ALGORITHMS))
    payload = json.dumps(claims, separators=(",", ":")).encode()
    return jwt.PyJWS().encode(payload, secret.encode(), algorithm=algorithm)


def provider(claims: Mapping[str, Any]) -> str:
    """Where the mail lies: ``s3``, ``none`` or ``demo``. Raises BadToken."""
    try:
        named = text(claims, "provider").lower() or "s3"
    except Incomplete as error:
        raise BadToken(str(error)) from None
    if named not in ("s3", "none", "demo"):
        raise BadToken("its provider is none of s3, none and demo")
    return named


def _in_time(claims: Mapping[str, Any], now: int, max_age: float | None) -> None:
    expires, not_before, issued = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
    if expires and now > expires:
        raise BadToken("it has expired")
    if not_before and now < not_before:
        raise BadToken("it is not valid yet")
    if issued and now < issued:
        raise BadToken("it is used before it was issued")
    if max_age is not None and (not issued or now - issued > max_age):
        raise BadToken("it is too old, or does not say how old it is")


def _moment(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if value is None:
        return 0
    # True is an int for Python; a fraction of a second is none for what makes these tokens.
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadToken(f"{name} is no whole number")
    return value


def _no_number(constant: str) -> None:
    raise ValueError(constant)
