"""A server that speaks TLS with our store of certificates, and a client that says what it was shown."""

from __future__ import annotations

import shutil
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

reactor: Any = _reactor


class Echo(Protocol):
    """Sends back what it gets; on STLS it begins TLS first, like the protocols do."""

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        if data == b"STLS\r\n":
            transport.write(b"+OK\r\n")
            transport.startTLS(self.factory.tls)
        else:
            transport.write(data)


class EchoFactory(Factory):
    protocol = Echo
    noisy = False

    def __init__(self, tls: Any = None) -> None:
        self.tls = tls
        self.peers: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.peers.append(addr)
        return super().buildProtocol(addr)


@dataclass
class Shown:
    """What a server showed: its certificate's serial number and the version of TLS."""

    serial: int
    version: str


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def trusting(authority: Path | None) -> ssl.SSLContext:
    """A client's context: trusts `authority`, or anybody when that is None."""
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def shown(connection: ssl.SSLSocket) -> Shown:
    der = connection.getpeercert(binary_form=True)
    assert der is not None
    return Shown(x509.load_der_x509_certificate(der).serial_number, connection.version() or "")


def in_thread(function: Any, *args: Any) -> Deferred[Any]:
    return deferToThread(function, *args)


def temporary(test: Any) -> Path:
    """A folder that goes away with the test. (Trial's mktemp would leave its own in the current directory.)"""
    folder = tempfile.mkdtemp(prefix="sesmail-test-")
    test.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
