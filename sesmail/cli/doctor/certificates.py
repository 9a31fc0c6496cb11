"""Certificates, as a mail program would judge them: it is given each in a handshake that takes place in memory."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sesmail.cli.doctor.finding import Finding, good, note, wrong
from sesmail.config.table import Certificate, Config
from sesmail.service.keypair import BadCertificate, Pair, Usable, load

_SOON = 14
# What OpenSSL says of a certificate that vouches for itself, and of a chain that leads nowhere (x509_vfy.h).
_SELF_SIGNED = frozenset({18, 19})
_EXPIRED = 10
_LIVE = re.compile(r"/letsencrypt/live/([^/]+)/")


def certificates(config: Config, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[Finding]:
    """Each of section tls: it can be used, people's programs trust it, it lasts, and one of them has the gateway's name."""
    names: set[str] = set()
    for one in config.tls.certificates:
        about = f"certificate {one.certificate}"
        try:
            usable = load(Pair(Path(one.certificate), Path(one.key)))
        except BadCertificate as error:
            yield wrong(about, str(error), f"{_renewed(one)}, with the key and a chain that belong to it")
            continue
        names |= usable.names
        yield _lasts(about, one, usable, now())
        yield _trusted(about, one, usable)
    if config.tls.certificates:
        yield from _named(config, names)
    elif config.tls.self_signed:
        host = config.submission.hostname or "YOUR.HOST"
        mend = f"certbot certonly --standalone -d {host}, and name its files in tls.certificates"
        yield note("certificate", "made by sesmail itself: mail programs warn of it", mend)


def _lasts(about: str, one: Certificate, usable: Usable, now: datetime) -> Finding:
    days = (usable.expires - now).days
    if usable.expires <= now:
        return wrong(about, f"expired on {usable.expires:%Y-%m-%d}", _renewed(one))
    if days < _SOON:
        return wrong(about, f"expires in {days} days", _renewed(one))
    return good(about, f"good for {days} days, for {', '.join(sorted(usable.names)[:8])}")


def _renewed(one: Certificate) -> str:
    live = _LIVE.search(one.certificate)
    return f"certbot renew --cert-name {live[1]} --force-renewal" if live else f"have {one.certificate} renewed"


def _trusted(about: str, one: Certificate, usable: Usable) -> Finding:
    name = next(iter(sorted(usable.names)), "localhost").replace("*.", "mail.")
    about = f"chain of {about}"
    try:
        _handshake(one, name)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _SELF_SIGNED:
            return note(about, "signed by nobody that this machine trusts: mail programs warn of it")
        if error.verify_code == _EXPIRED:
            return wrong(about, "a certificate in it has expired", _renewed(one))
        return wrong(about, error.verify_message, _chained(one))
    except (OSError, ValueError) as error:
        return wrong(about, f"no program can use it: {type(error).__name__}", _renewed(one))
    return good(about, "leads to an authority that this machine trusts")


def _chained(one: Certificate) -> str:
    if one.certificate.endswith("/cert.pem"):
        return f"tls.certificates: {one.certificate.removesuffix('cert.pem')}fullchain.pem"
    return f"append the certificates of the authority in between: cat chain.pem >> {one.certificate}"


def _handshake(one: Certificate, name: str) -> None:
    """Raises ssl.SSLError as a client would that trusts what this machine trusts."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(one.certificate, one.key, password=lambda: "")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(back, there, server_hostname=name)
    server = serving.wrap_bio(there, back, server_side=True)
    for side in (client, server, client):
        # A side that waits for the other.
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()


def _named(config: Config, names: set[str]) -> Iterator[Finding]:
    host = config.submission.hostname
    if not host:
        return
    about = f"name {host}"
    if host in names or f"*.{host.partition('.')[2]}" in names:
        yield good(about, "a certificate has it")
    else:
        yield wrong(
            about,
            "no certificate has it: mail programs will refuse it",
            f"certbot certonly --expand -d {','.join(sorted({host, *names}))}",
        )
