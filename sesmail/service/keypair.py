"""One certificate with its chain and key: read, checked, and made into a TLS context."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet.ssl import CertificateOptions, TLSVersion

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


if TYPE_CHECKING:
    # Has another name in old versions of cryptography.
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes


class BadCertificate(Exception):
    """A certificate or key that cannot be used; the text says which file and why, and nothing of its content."""


@dataclass(frozen=True)
class Pair:
    """Two PEM files: the certificate with its chain behind it, and the private key (without a passphrase)."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Usable:
    """A pair that was loaded: its context, the names it is good for (lower case, perhaps ``*.``), and its last day."""

    context: SSL.Context
    names: frozenset[str]
    expires: datetime


def load(pair: Pair) -> Usable:
    """Raises BadCertificate. An expired certificate is loaded: a warning serves people better than no mail."""
    chain = [_certificate(pair.certificate, pem) for pem in _pems(pair.certificate)]
    key = _key(pair.key)
    if _public(chain[0].public_key()) != _public(key.public_key()):
        raise BadCertificate(f"{pair.key}: is not the key of {pair.certificate}")
    try:
        context = _context(chain, key)
    except (SSL.Error, crypto.Error, ValueError, TypeError) as error:
        raise BadCertificate(f"{pair.certificate}: cannot be used for TLS: {error}") from error
    return Usable(context, frozenset(_names(chain[0])), _expires(chain[0]))


def _context(chain: list[x509.Certificate], key: PrivateKeyTypes) -> SSL.Context:
    leaf, *rest = map(crypto.X509.from_cryptography, chain)
    options = CertificateOptions(
        # Keys of a kind that TLS cannot use are a TypeError.
        privateKey=crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type]
        certificate=leaf,
        extraCertChain=rest,
        # RFC 8997. Twisted 22.4 would go down to TLS 1.0.
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    context = options.getContext()
    # No door speaks more than one protocol. Twisted's own answer to clients that ask fails with connections it has not made itself.
    context.set_alpn_select_callback(lambda connection, offered: SSL.NO_OVERLAPPING_PROTOCOLS)
    return context


def _pems(path: Path) -> list[bytes]:
    pems = _CERTIFICATE.findall(_read(path))
    if not pems:
        raise BadCertificate(f"{path}: holds no certificate in PEM form")
    return pems


def _certificate(path: Path, pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise BadCertificate(f"{path}: is not a certificate") from error


def _key(path: Path) -> PrivateKeyTypes:
    data = _read(path)
    try:
        return serialization.load_pem_private_key(data, password=None)
    except TypeError as error:
        raise BadCertificate(f"{path}: needs a passphrase, which nobody could type at start") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificate(f"{path}: is not a private key in PEM form") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{path}: {error.strerror}") from error


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
            yield str(attribute.value).lower()
        return
    for name in extension.value.get_values_for_type(x509.DNSName):
        yield name.lower()


def _expires(certificate: x509.Certificate) -> datetime:
    # cryptography before 42 knows only the naive form, later ones warn about it.
    aware: datetime | None = getattr(certificate, "not_valid_after_utc", None)
    return aware or certificate.not_valid_after.replace(tzinfo=UTC)
