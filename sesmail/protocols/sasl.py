"""SASL mechanisms as conversations without I/O: each yields challenges, is sent responses and returns credentials.

A mechanism begins by yielding the challenge that an initial response answers, so that both ways of beginning are one. How
responses are spelled on the wire (RFC 4954, RFC 5034) is in `response` and `challenge`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Generator, Mapping

from twisted.cred.credentials import ICredentials, UsernamePassword

from sesmail.errors import BadLogin, Malformed

Conversation = Generator[bytes, bytes, ICredentials]


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


MECHANISMS: Mapping[bytes, Callable[[], Conversation]] = {b"PLAIN": plain, b"LOGIN": login}
