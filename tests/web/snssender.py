"""SNS as an HTTPS endpoint meets it: how it sends, and where its certificates and SubscribeURLs are.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html, sns-message-delivery-retries.html
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from tests.aws.snssigner import HOST, NOW, Signer, body, headers
from tests.servers.certificates import Authority

_CONFIRMED = (
    b"<ConfirmSubscriptionResponse><ConfirmSubscriptionResult><SubscriptionArn>x</SubscriptionArn></ConfirmSubscriptionResult>"
    b"</ConfirmSubscriptionResponse>"
)
_NAME = HOST.removeprefix("https://")


@dataclass
class Sender:
    """Sends to one subscription. A request may take `timeout` seconds; what fails for now is sent again `retries` times."""

    port: int
    trust: ssl.SSLContext
    login: str | None = None
    timeout: float = 15.0
    retries: int = 3
    pause: float = 0.1

    def deliver(self, message: Mapping[str, object]) -> list[int]:
        """The statuses it was answered with, 0 for none at all. The message is delivered when the last one is 2xx, and else lost or in
        the dead-letter queue."""
        seen: list[int] = []
        for _ in range(1 + self.retries):
            seen += self._attempt(message)
            if 200 <= seen[-1] < 300 or (400 <= seen[-1] < 500 and seen[-1] != 429):
                break
            time.sleep(self.pause)
        return seen

    def _attempt(self, message: Mapping[str, object]) -> list[int]:
        # The first request is always without the login.
        status, challenge = self._request(message, {})
        if status != 401 or not challenge.startswith("Basic ") or self.login is None:
            return [status]
        basic = base64.b64encode(self.login.encode()).decode()
        return [status, self._request(message, {"Authorization": f"Basic {basic}"})[0]]

    def _request(self, message: Mapping[str, object], more: Mapping[str, str]) -> tuple[int, str]:
        connection = HTTPSConnection("localhost", self.port, timeout=self.timeout, context=self.trust)
        try:
            connection.request("POST", "/", body(message), {**headers(message), **more})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("WWW-Authenticate", "")
        except (OSError, HTTPException):
            return 0, ""
        finally:
            connection.close()


@dataclass
class Aws:
    """The host of SNS, found through a proxy. `environment` leads a process there; `asked` are the paths that were asked for, or
    what was sent to the API. `fault`: what whoever comes now meets: ``refuse``, ``close`` or ``silence`` in place of an answer, ``half`` of
    one, ``500``."""

    signer: Signer
    environment: dict[str, str]
    asked: list[str] = field(default_factory=list)
    fault: str = ""
    certificates: dict[str, bytes] = field(default_factory=dict)

    def renew(self) -> Signer:
        """From now on messages are signed by this one, with another certificate, which is good today."""
        days = (time.time() - NOW) / 86_400
        self.signer = Signer(begins=days - 1, ends=days + 30)
        self.certificates[self.signer.certificate_url] = self.signer.pem
        return self.signer


@contextmanager
def aws(folder: Path) -> Iterator[Aws]:
    """An AWS that is trusted by whoever has its environment, and knows one signer, whose certificate is good today."""
    authority = Authority(folder, "AWS of the tests")
    issued = authority.issue(_NAME)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environment = {"HTTPS_PROXY": proxy, "NO_PROXY": "127.0.0.1,localhost", "AWS_CA_BUNDLE": str(authority.certificate)}
        found = Aws(Signer(), environment)
        found.renew()
        thread = threading.Thread(target=_serve, args=(listening, context, found), daemon=True)
        thread.start()
        yield found
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _serve(listening: socket.socket, context: ssl.SSLContext, found: Aws) -> None:
    while True:
        try:
            plain, _ = listening.accept()
        except OSError:
            return
        with contextlib.suppress(OSError), plain:
            plain.settimeout(10)
            if found.fault == "refuse":
                continue
            name = _head(plain).split(" ")[1]
            if name != f"{_NAME}:443":
                plain.sendall(b"HTTP/1.1 502 No such host\r\n\r\n")
                continue
            plain.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with context.wrap_socket(plain, server_side=True) as connection:
                _say(connection, _answer(_asked(connection), found), found.fault)


def _say(connection: ssl.SSLSocket, answer: bytes, fault: str) -> None:
    if fault == "silence":
        connection.recv(1)
    elif fault == "half":
        length = f"\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
        connection.sendall(answer.replace(b"\r\n\r\n", length, 1)[: len(answer) // 2])
    elif fault == "500":
        connection.sendall(b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n")
    elif fault != "close":
        connection.sendall(answer)


def _answer(path: str, found: Aws) -> bytes:
    found.asked.append(path)
    if pem := found.certificates.get(HOST + path):
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + pem
    if "Action=ConfirmSubscription&" in path:
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + _CONFIRMED
    return b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n"


def _asked(connection: ssl.SSLSocket) -> str:
    head, _, content = _head(connection).partition("\r\n\r\n")
    if not head.startswith("POST"):
        return head.split(" ")[1]
    length = int(re.findall(r"(?i)\ncontent-length: (\d+)", head)[0])
    while len(content) < length:
        content += connection.recv(4096).decode()
    return content


def _head(connection: socket.socket) -> str:
    said = b""
    while b"\r\n\r\n" not in said and (piece := connection.recv(4096)):
        said += piece
    return said.decode("latin-1")
