"""The certificates with which SNS signs: fetched once, kept until they end, and never more than a few."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from sesmail.errors import Refused, Unavailable

LONGEST = 65_536
_BITS = 2048
# A certificate is decoded where it is looked at.
_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)
# sns.amazonaws.com, sns.REGION., sns-signing.REGION., sns-cn-north-1.amazonaws.com.cn, sns-us-gov-west-1.amazonaws.com
_SNS = re.compile(r"sns(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?", re.ASCII)


class Certificates:
    """Keeps at most `limit` keys, the last used ones.

    `fetch` gets the octets behind an https URL whose host's certificate it verifies; it follows no redirect, takes at most LONGEST octets,
    has a timeout and raises Unavailable. May be used by several threads; two may then fetch the same at the same time.
    """

    def __init__(self, fetch: Callable[[str], bytes], *, limit: int = 16) -> None:
        self._fetch = fetch
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, x509.Certificate] = OrderedDict()

    def key(self, url: str, now: float) -> RSAPublicKey:
        """The key of the certificate at this URL, which must be one that `sns` lets through.

        Raises Refused for a certificate that is not SNS's or not good at this time, Unavailable when none can be had.
        """
        certificate = self._known(url, now)
        if certificate is None:
            certificate = _parsed(self._fetch(url))
        try:
            key = _usable(certificate, now)
        except _UNREADABLE as error:
            raise Refused("the certificate of the signature is not that of SNS", cause=error) from None
        self._keep(url, certificate)
        return key

    def has(self, url: str, now: float) -> bool:
        """True when `key` has the certificate already, and it is good at this time. Never blocks."""
        return self._known(url, now) is not None

    def _known(self, url: str, now: float) -> x509.Certificate | None:
        with self._lock:
            certificate = self._kept.get(url)
            if certificate is not None and not _is_good(certificate, now):
                del self._kept[url]
                return None
            return certificate

    def _keep(self, url: str, certificate: x509.Certificate) -> None:
        with self._lock:
            self._kept[url] = certificate
            self._kept.move_to_end(url)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)


def _parsed(pem: bytes) -> x509.Certificate:
    # A proxy's own page is no reason to turn mail away for good.
    if len(pem) > LONGEST:
        raise Unavailable("the certificate of the signature cannot be read at the moment", cause=f"{len(pem)} octets")
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise Unavailable("the certificate of the signature cannot be read at the moment", cause=error) from None


def _usable(certificate: x509.Certificate, now: float) -> RSAPublicKey:
    if not _is_good(certificate, now):
        raise Refused("the certificate of the signature is not valid now")
    if not any(_SNS.fullmatch(name.lower()) for name in _names(certificate)):
        raise Refused("the certificate of the signature is not that of SNS")
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < _BITS:
        raise Refused(f"the certificate of the signature has no RSA key of {_BITS} bits or more")
    return key


def _names(certificate: x509.Certificate) -> list[str]:
    common = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return common
    return common + alternative.get_values_for_type(x509.DNSName)


def _is_good(certificate: x509.Certificate, now: float) -> bool:
    return _time(certificate, "not_valid_before") <= now <= _time(certificate, "not_valid_after")


def _time(certificate: x509.Certificate, name: str) -> float:
    # cryptography < 42 has naive times in UTC only.
    aware: datetime | None = getattr(certificate, f"{name}_utc", None)
    naive: datetime = aware or getattr(certificate, name).replace(tzinfo=UTC)
    return naive.timestamp()
