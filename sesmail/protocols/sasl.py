"""SASL mechanisms as conversations without I/O: each yields challenges, is sent responses and returns credentials.

A mechanism begins by yielding the challenge that an initial response answers, so that both ways of beginning are one. How
responses are spelled on the wire (RFC 4954, RFC 5034) is in `response` and `challenge`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Generator, Mapping
from typing import TypeAlias

from twisted.cred.credentials import ICredentials, UsernamePassword
from twisted.cred.portal import Portal

from sesmail.credentials import BearerToken, IBearerToken
from sesmail.errors import BadLogin, Malformed

# As text: interfaces of Debian 12's zope.interface know no "|".
Credentials: TypeAlias = "ICredentials | BearerToken"
Conversation = Generator[bytes, bytes, Credentials]


class Cancelled(Exception):
    """The client gave up with ``*``."""


def challenge(text: bytes) -> bytes:
    """A challenge in its base64 form."""
    return base64.b64encode(text)


def response(line: bytes, *, initial: bool = False) -> bytes:
    """A response from its base64 form. Raises Cancelled and Malformed. An initial one may be ``=``, which is empty."""
    if initial and line == b"=":
        return b""
    if line == b"*" and not initial:
        raise Cancelled
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        raise Malformed("not base64") from None


def plain() -> Conversation:
    """RFC 4616. Raises BadLogin when the client wants to act for another than it logs in as."""
    identities = (yield b"").split(b"\0")
    if len(identities) != 3 or not identities[1] or not identities[2]:
        raise Malformed("not a PLAIN response")
    acts_for, name, password = identities
    if acts_for not in (b"", name):
        raise BadLogin
    return UsernamePassword(name, password)


def login() -> Conversation:
    """The old LOGIN mechanism (draft-murchison-sasl-login), with these exact prompts because clients compare them."""
    name = yield b"Username:"
    password = yield b"Password:"
    if not name or not password:
        raise Malformed("not a LOGIN response")
    return UsernamePassword(name, password)


def oauthbearer() -> Conversation:
    """RFC 7628. Channel binding is not offered, hence refused."""
    header, *pairs = (yield b"").split(b"\1")
    gs2 = header.split(b",")
    if len(gs2) != 3 or gs2[0] not in (b"n", b"y") or gs2[2] or gs2[1][:2] not in (b"", b"a="):
        raise Malformed("not an OAUTHBEARER response")
    name = gs2[1][2:].replace(b"=2C", b",").replace(b"=3D", b"=")
    return BearerToken(name, _bearer(pairs))


def xoauth2() -> Conversation:
    """Google's mechanism from before RFC 7628."""
    user, *pairs = (yield b"").split(b"\1")
    if not user.startswith(b"user="):
        raise Malformed("not an XOAUTH2 response")
    return BearerToken(user[5:], _bearer(pairs))


def _bearer(pairs: list[bytes]) -> bytes:
    """The token of the ``auth`` pair. Raises Malformed unless the pairs end as both mechanisms want it, with an empty one."""
    values = dict(pair.partition(b"=")[::2] for pair in pairs)
    scheme, _, token = values.get(b"auth", b"").partition(b" ")
    if pairs[-2:] != [b"", b""] or scheme.lower() != b"bearer" or not token.strip():
        raise Malformed("no bearer token")
    return token.strip()


MECHANISMS: Mapping[bytes, Callable[[], Conversation]] = {b"PLAIN": plain, b"LOGIN": login}
BEARER_MECHANISMS: Mapping[bytes, Callable[[], Conversation]] = {b"OAUTHBEARER": oauthbearer, b"XOAUTH2": xoauth2}


def mechanisms(portal: Portal) -> Mapping[bytes, Callable[[], Conversation]]:
    """What this portal can check: bearer tokens only where a checker takes them."""
    return {**MECHANISMS, **BEARER_MECHANISMS} if IBearerToken in portal.listCredentialsInterfaces() else MECHANISMS


def failure(credentials: object) -> bytes | None:
    """What a client whose login is refused must be told, and must answer, before the refusal (RFC 7628 section 3.2.2); None for
    nothing."""
    return b'{"status":"invalid_token","schemes":"bearer"}' if IBearerToken.providedBy(credentials) else None
