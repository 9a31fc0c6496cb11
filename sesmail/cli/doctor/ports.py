"""Ports and sockets: the gateway answers there, with the certificate that is configured; or they are free for it."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator

from sesmail.cli.doctor.finding import Finding, good, note, unknown, wrong
from sesmail.config.listeners import Listener
from sesmail.config.table import Config

_PATIENCE = 5.0
_START = "systemctl start sesmail"
_GREETINGS = {"pop3.listeners": b"+OK", "submission.listeners": b"220", "lmtp.listeners": b"220"}
_TCP = re.compile(r"tcp6?:(?:port=)?(\d+)")
_INTERFACE = re.compile(r":interface=((?:\\.|[^:\\])*)")
_UNIX = re.compile(r"unix:(?:address=)?((?:\\.|[^:\\])+)")


def port(config: Config, option: str, listener: Listener) -> Iterator[Finding]:
    """One listener of this option."""
    about = f"port {listener.endpoint}"
    endpoint = listener.endpoint.removeprefix("haproxy:")
    if found := _TCP.match(endpoint):
        yield from _tcp(config, option, listener, about, (_host(endpoint), int(found[1])))
    elif found := _UNIX.match(endpoint):
        yield _unix(about, re.sub(r"\\(.)", r"\1", found[1]))
    else:
        yield note(about, "systemd opens it", "systemctl list-sockets 'sesmail*'")


def _host(endpoint: str) -> str:
    found = _INTERFACE.search(endpoint)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else "::" if endpoint.startswith("tcp6") else "0.0.0.0"  # noqa: S104


def _tcp(config: Config, option: str, listener: Listener, about: str, address: tuple[str, int]) -> Iterator[Finding]:
    if not _is_here(address[0]):
        yield wrong(
            about, f"{address[0]} is no address of this machine", "ip -brief address, and put one of them into the endpoint"
        )
        return
    # Whoever connects to the address for all reaches this machine.
    try:
        connection = socket.create_connection(address, timeout=_PATIENCE)
    except ConnectionRefusedError:
        yield _free(about, address)
        return
    except OSError as error:
        yield unknown(about, f"no answer: {error.strerror or type(error).__name__}", _whose(about))
        return
    with connection:
        if listener.endpoint.startswith("haproxy:"):
            # It waits for the header of a proxy.
            yield good(about, "somebody listens")
            return
        yield from _answer(config, option, listener, about, connection)


def _is_here(host: str) -> bool:
    try:
        with socket.socket(_family(host)) as tried:
            tried.bind((host, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _free(about: str, address: tuple[str, int]) -> Finding:
    with socket.socket(_family(address[0])) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except PermissionError:
            said = "nobody listens, and only root and the service may: its unit has CAP_NET_BIND_SERVICE"
            return note(about, said, _START)
        except OSError as error:
            return wrong(about, f"taken by another program: {error.strerror}", f"ss -tnp 'sport = :{address[1]}'")
    return note(about, "free: the gateway does not run", _START)


def _answer(config: Config, option: str, listener: Listener, about: str, connection: socket.socket) -> Iterator[Finding]:
    expected, served = _GREETINGS.get(option), b""
    try:
        with _secured(connection) if listener.tls == "implicit" else connection as spoken:
            if isinstance(spoken, ssl.SSLSocket):
                served = spoken.getpeercert(binary_form=True) or b""
            said = spoken.recv(512) if expected else b""
    except OSError as error:
        yield wrong(about, f"another program answers, or it is stuck: {type(error).__name__}", _whose(about))
        return
    if served:
        yield from _served(config, about, served)
    if expected and not said.startswith(expected):
        yield wrong(about, f"another program answers: {said[:60]!a}", _whose(about))
    else:
        yield good(about, "the gateway answers" if expected else "somebody answers")


def _secured(connection: socket.socket) -> ssl.SSLSocket:
    """Only which certificate is served is of interest."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def _whose(about: str) -> str:
    found = re.search(r"\d+", about)
    return f"ss -ltnp 'sport = :{found[0] if found else 0}'"


def _served(config: Config, about: str, served: bytes) -> Iterator[Finding]:
    if not config.tls.certificates:
        return
    # Who names no host gets the first.
    file = config.tls.certificates[0].certificate
    try:
        with open(file, encoding="ascii", errors="replace") as pem:
            first = re.search(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", pem.read(), re.DOTALL)
        wanted = ssl.PEM_cert_to_DER_cert(first[0]) if first else b""
    except (OSError, ValueError):
        return
    if served != wanted:
        yield wrong(f"certificate at {about}", f"is not the one in {file}", "systemctl reload sesmail")


def _unix(about: str, path: str) -> Finding:
    with socket.socket(socket.AF_UNIX) as tried:
        tried.settimeout(_PATIENCE)
        try:
            tried.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return note(about, "nobody listens: the gateway does not run", _START)
        except PermissionError:
            return wrong(about, "may not be connected to", f"ls -l {path}; id; see lmtp.group")
        except OSError as error:
            return unknown(about, f"no answer: {error.strerror or type(error).__name__}")
    return good(about, "somebody listens")
