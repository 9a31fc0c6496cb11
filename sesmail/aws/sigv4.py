"""AWS Signature Version 4, at a few microseconds a request.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from sesmail.interfaces import Keys

EMPTY_BODY = hashlib.sha256(b"").hexdigest()


def uri(text: str) -> str:
    """An object key as it stands in a request path: every octet but the unreserved ones and ``/`` escaped, once."""
    return quote(text, safe="/~")


def query(items: Iterable[tuple[str, str]]) -> str:
    """A query string in the canonical order, which is also the one to send."""
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(items))


class _Day(NamedTuple):
    """A signing key and the day and secret that it belongs to: one value, so that threads never see half of it."""

    date: str
    secret: str
    key: bytes


@dataclass(frozen=True)
class Scope:
    """For which region and service a signature is valid."""

    region: str
    service: str = "s3"


class Signer:
    """Signs for one scope and keeps the signing key of the day."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._day = _Day("", "", b"")

    def sign(
        self,
        method: str,
        host: str,
        path: str,
        query: str,
        keys: Keys,
        now: datetime,
        amz: Iterable[tuple[str, str]] = (),
        *,
        body: bytes = b"",
    ) -> list[tuple[str, str]]:
        """The headers that make the request valid, `amz` included (names in lower case, all of them ``x-amz-*``).

        `path` and `query` are already escaped; `now` is UTC. Headers that are not given here may still be sent, unsigned.
        """
        digest = hashlib.sha256(body).hexdigest() if body else EMPTY_BODY
        moment = now.strftime("%Y%m%dT%H%M%SZ")
        headers = [("host", host), ("x-amz-content-sha256", digest), ("x-amz-date", moment), *amz]
        if keys.session_token:
            headers.append(("x-amz-security-token", keys.session_token))
        headers.sort()
        names = ";".join(name for name, _ in headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers)
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}"
        signature = self._signature(canonical, moment, keys)
        credential = f"{keys.access_key_id}/{self._credential(moment)}"
        headers.append(
            ("authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}")
        )
        return headers

    def _credential(self, moment: str) -> str:
        return f"{moment[:8]}/{self.scope.region}/{self.scope.service}/aws4_request"

    def _signature(self, canonical: str, moment: str, keys: Keys) -> str:
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{moment}\n{self._credential(moment)}\n{digest}"
        return hmac.digest(self._key(moment[:8], keys.secret_access_key), text.encode(), "sha256").hex()

    def _key(self, date: str, secret: str) -> bytes:
        day = self._day
        if day.date != date or day.secret != secret:
            key = f"AWS4{secret}".encode()
            for part in (date, self.scope.region, self.scope.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            day = self._day = _Day(date, secret, key)
        return day.key
