"""What a token or a reply grants: keys, and a place in a bucket. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sesmail.interfaces import Keys, Place


@dataclass(frozen=True)
class Grant:
    """Mail that lies elsewhere, with the keys to read it. An endpoint is never granted: that is for the configuration to say.

    `region` is None where the granter says none.
    """

    keys: Keys
    bucket: str
    prefix: str
    region: str | None = None


# The place of a grant. Raises Malformed unless bucket and region may become part of a host name.
PlaceAt = Callable[[Grant], Place]


class Incomplete(ValueError):
    """Says which claim is missing or malformed, never what one holds."""


# Keys and token become parts of a header, the prefix of a path; what a bucket may be called is for whoever reaches it to say.
_FORMS = {
    "awsAccessKeyID": re.compile(r"[A-Za-z0-9_./+=-]{1,128}"),
    "awsSecretAccessKey": re.compile(r"[!-~]{1,512}"),
    "awsSessionToken": re.compile(r"[!-~]{0,8192}"),
    "bucket": re.compile(r"[^/]+"),
    "prefix": re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,900}"),
}


def grant(claims: Mapping[str, object]) -> Grant:
    """What these claims grant; unknown ones are ignored, empty ones count as missing. Raises Incomplete.

    Without keys nothing is granted: the gateway's own are not for everybody.
    """
    key_id, secret = _required(claims, "awsAccessKeyID"), _required(claims, "awsSecretAccessKey")
    keys = Keys(key_id, secret, text(claims, "awsSessionToken") or None)
    bucket, prefix = _required(claims, "bucket"), text(claims, "prefix")
    for name, form in _FORMS.items():
        if not form.fullmatch(text(claims, name)):
            raise Incomplete(f"{name} has not the form of one")
    if prefix and not prefix.endswith("/"):
        # As a bare prefix "tom" would also list "tommy/".
        prefix += "/"
    return Grant(keys, bucket, prefix, text(claims, "region") or None)


def text(claims: Mapping[str, object], name: str) -> str:
    """A claim that is text; absent and null are empty. Raises Incomplete for anything else."""
    value = claims.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Incomplete(f"{name} is no text")
    return value


def _required(claims: Mapping[str, object], name: str) -> str:
    value = text(claims, name)
    if not value:
        raise Incomplete(f"{name} is missing")
    return value
