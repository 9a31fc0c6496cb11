"""Servers of others that the gateway asks or hands mail to."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from sesmail.assembly.couriers import smtp_settings
from sesmail.cli.doctor.finding import Finding, good, unknown, wrong
from sesmail.config.table import Config

_PATIENCE = 8.0


def smarthost(config: Config) -> Iterator[Finding]:
    """It takes the login; nothing is sent."""
    settings = smtp_settings(config)
    about = f"smarthost {settings.host}:{settings.port}"
    context = ssl.create_default_context(cafile=settings.ca_file)
    try:
        with _smtp(settings.host, settings.port, settings.tls, context) as server:
            if settings.username and settings.password:
                server.login(settings.username, settings.password)
            else:
                server.ehlo_or_helo_if_needed()
    except smtplib.SMTPAuthenticationError as error:
        mend = "smarthost.username and smarthost.password: what `sesmail smtp-password` prints"
        yield wrong(about, f"refuses the login: {error.smtp_code}", mend)
    except ssl.SSLCertVerificationError as error:
        yield wrong(about, f"its certificate: {error.verify_message}", "smarthost.ca_file: the certificates that vouch for it")
    except smtplib.SMTPException as error:
        yield wrong(
            about,
            f"does not do what is asked of it: {type(error).__name__}",
            "smarthost.tls and smarthost.port, as it has them",
        )
    except OSError as error:
        yield _silent(about, error, f"openssl s_client -connect {settings.host}:{settings.port}")
    else:
        yield good(about, "takes the login" if settings.username else "answers")


def _smtp(host: str, port: int, tls: str, context: ssl.SSLContext) -> smtplib.SMTP:
    if tls == "implicit":
        return smtplib.SMTP_SSL(host, port, timeout=_PATIENCE, context=context)
    server = smtplib.SMTP(host, port, timeout=_PATIENCE)
    if tls == "starttls":
        server.starttls(context=context)
    return server


def lmtp(config: Config) -> Iterator[Finding]:
    """The server of lmtp_out answers."""
    given = config.lmtp_out
    about = f"LMTP server {given.host}"
    yield from _reached(
        about, lambda: _connected(given.host, given.port), "doveconf protocols service/lmtp, or lmtp_out.host and lmtp_out.port"
    )


def web(config: Config) -> Iterator[Finding]:
    """The server of auth.http_url listens. It is not asked about anybody: it might count that as a guess."""
    parts = urlsplit(config.auth.http_url or "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    about = f"login server {parts.hostname}:{port}"
    yield from _reached(about, lambda: _connected(parts.hostname or "", port), "auth.http_url, or that server")


def dovecot(config: Config) -> Iterator[Finding]:
    """Dovecot's socket for logins listens."""
    kind, _, rest = (config.auth.dovecot or "").partition(":")
    host, _, port = rest.rpartition(":")
    about = f"logins of Dovecot {config.auth.dovecot}"
    connect = (lambda: _connected(rest, 0)) if kind == "unix" else (lambda: _connected(host.strip("[]"), int(port)))
    yield from _reached(about, connect, "doveconf service/auth, or auth.dovecot")


def _reached(about: str, connect: Callable[[], None], mend: str) -> Iterator[Finding]:
    try:
        connect()
    except OSError as error:
        yield _silent(about, error, mend)
    else:
        yield good(about, "listens")


def _connected(host: str, port: int) -> None:
    if host.startswith("/"):
        with socket.socket(socket.AF_UNIX) as tried:
            tried.settimeout(_PATIENCE)
            tried.connect(host)
        return
    socket.create_connection((host, port), timeout=_PATIENCE).close()


def _silent(about: str, error: OSError, mend: str) -> Finding:
    if isinstance(error, TimeoutError):
        return unknown(about, f"no answer within {_PATIENCE:g} seconds", mend)
    return wrong(about, f"cannot be reached: {error.strerror or type(error).__name__}", mend)
