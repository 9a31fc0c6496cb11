"""A certificate that is made here, for a gateway that nobody has given one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sesmail.service.keypair import BadCertificate, Pair, load

# The longest that Apple's programs accept even of a certificate that the user trusts himself.
LIFETIME = timedelta(days=825)
_RENEW = timedelta(days=30)
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\Z")


def self_signed(folder: Path, host: str, now: datetime) -> Pair:
    """The pair kept in `folder`: made there when there is none, when it cannot be used, or when it ends within 30 days.

    It is good for localhost, the loopback addresses and `host`. The key can be read by its owner alone.
    """
    pair = Pair(folder / "self-signed.crt", folder / "self-signed.key")
    try:
        if load(pair).expires > now + _RENEW:
            return pair
    except BadCertificate:
        pass
    _make(pair, host, now)
    return pair


def _make(pair: Pair, host: str, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, host, now)
    pair.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unencrypted = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted)
    _write(pair.key, pem, 0o600)
    _write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _certificate(key: ec.EllipticCurvePrivateKey, host: str, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sesmail self-signed")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(list(_alternatives(host))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def _alternatives(host: str) -> Iterable[x509.GeneralName]:
    yield x509.DNSName("localhost")
    if _HOST.match(host) and host.lower() != "localhost":
        yield x509.DNSName(host)
    yield x509.IPAddress(ip_address("127.0.0.1"))
    yield x509.IPAddress(ip_address("::1"))


def _write(path: Path, data: bytes, mode: int) -> None:
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    beside.replace(path)
