"""Credentials that Twisted's cred has no word for. Imports no Twisted: an interface need not."""

from __future__ import annotations

from dataclasses import dataclass, field

from zope.interface import Attribute, Interface, implementer


class IBearerToken(Interface):
    """A token that says by itself who its bearer is (RFC 6750), as XOAUTH2 and OAUTHBEARER (RFC 7628) send it."""

    username = Attribute("Whom the client wants to be, bytes as it spells it; empty when it does not say. Not to be believed.")
    token = Attribute("The token, bytes.")


@implementer(IBearerToken)
@dataclass(frozen=True)
class BearerToken:
    """See IBearerToken."""

    username: bytes
    token: bytes = field(repr=False)
