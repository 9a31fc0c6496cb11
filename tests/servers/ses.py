"""An Amazon SES of the tests' own: SESv2 SendEmail (raw), GetAccount, PutSuppressedDestination, GetEmailIdentity and GetConfigurationSet,
v1 SendBounce and DescribeActiveReceiptRuleSet, over real HTTP, as boto3 speaks to it.

`running()` is one within this process. `python -m tests.servers.ses PORT` is one that listens until it is ended, and `RemoteSes`
arranges and asks that one. An unsigned request is refused.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import secrets
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from urllib.request import Request as HttpRequest
from urllib.request import urlopen
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config

from tests.servers.ports import BEGINS, answers, free_port, wait_until
from tests.servers.process import Guarded
from tests.servers.sesknows import Fault, Refusal, Request, Sent, Ses, recipients

__all__ = ["Fault", "RemoteSes", "Request", "Sent", "Server", "Ses", "client", "running", "running_apart"]

_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/, ]+/\d{8}/[^/, ]+/ses/aws4_request, SignedHeaders=[^,]+, Signature=\w{64}\Z"
)
_NOT_SIGNED = Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
_OPERATIONS = {
    ("POST", "/v2/email/outbound-emails"): "SendEmail",
    ("GET", "/v2/email/account"): "GetAccount",
    ("PUT", "/v2/email/suppression/addresses"): "PutSuppressedDestination",
    ("POST", "/"): "SendBounce",
}
# Those about one thing, whose name ends the path.
_THINGS = {"/v2/email/identities/": "GetEmailIdentity", "/v2/email/configuration-sets/": "GetConfigurationSet"}
_RULES = "DescribeActiveReceiptRuleSet"
_RESET = struct.pack("ii", 1, 0)


class Server(Ses):
    """One that listens on 127.0.0.1 at `endpoint` until `stop`."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self._server = _Listener(("127.0.0.1", port), _Door)
        self._server.ses = self
        self.port = int(self._server.server_address[1])
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Nothing listens any more; answers that are still delayed are given up."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running() -> Iterator[Server]:
    """A running one in this process, which knows nothing yet."""
    server = Server()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_apart() -> Iterator[RemoteSes]:
    """A running one in a process of its own, which therefore takes no time from this one."""
    with tempfile.TemporaryDirectory(prefix="sesmail-ses-") as directory:
        port = free_port()
        process = Guarded(
            [sys.executable, "-m", "tests.servers.ses", str(port)], Path(directory) / "log", cwd=Path(__file__).parents[2]
        )
        try:
            wait_until(lambda: answers(port), seconds=BEGINS, what=process.tail)
            yield RemoteSes(f"http://127.0.0.1:{port}")
        finally:
            process.stop()


def client(endpoint: str, service: str = "sesv2", **config: Any) -> Any:
    """A plain boto3 client for it, without retries; `config` goes into botocore's Config."""
    settings: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 10, **config}
    return _session().client(service, endpoint_url=endpoint, region_name="eu-west-1", config=Config(**settings))


@functools.cache
def _session() -> boto3.session.Session:
    # Reading the service's model takes longer than most of the tests.
    return boto3.session.Session()


class RemoteSes:
    """Arranges and asks one in another process; see Ses for what the methods do."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    @property
    def sent(self) -> list[Sent]:
        """All messages taken so far, in order."""
        found = self._ask("GET", "sent")
        return [Sent(**{**one, "data": base64.b64decode(one["data"]), "recipients": tuple(one["recipients"])}) for one in found]

    @property
    def bounces(self) -> list[dict[str, str]]:
        """The parameters of every SendBounce."""
        return list(self._ask("GET", "bounces"))

    @property
    def suppressed(self) -> dict[str, str]:
        """The addresses on the suppression list, each with its reason."""
        return dict(self._ask("GET", "suppressed"))

    def verify_only(self, *identities: str) -> None:
        """From now on these addresses and domains are all that mail may be from."""
        self._ask("POST", "verify", identities)

    def requests(self, operation: str = "SendEmail") -> list[Request]:
        """All requests for this operation that were read."""
        found = (Request(one["operation"], tuple(one["recipients"]), one["at"]) for one in self._ask("GET", "requests"))
        return [request for request in found if request.operation == operation]

    def wait_for(self, count: int, *, seconds: float = 30) -> list[Sent]:
        """All messages, as soon as there are `count`. Raises TimeoutError."""
        wait_until(lambda: self._ask("GET", "count") >= count, seconds=seconds, what=lambda: f"not {count} messages")
        return self.sent

    def plant(self, *faults: Fault) -> None:
        """They strike one after the other."""
        self._ask("POST", "plant", [asdict(fault) for fault in faults])

    def throttle(self, seconds: float, message: str = "Maximum sending rate exceeded.") -> None:
        """Answer every SendEmail with this for so long."""
        self.plant(Fault("TooManyRequestsException", 429, message, times=None, seconds=seconds))

    def heal(self) -> None:
        """Take every fault away."""
        self._ask("POST", "heal")

    def clear(self) -> None:
        """Forget everything."""
        self._ask("POST", "clear")

    def set_account(self, **changes: Any) -> None:
        """Change what GetAccount answers."""
        self._ask("POST", "account", changes)

    def _ask(self, method: str, what: str, given: Any = None) -> Any:
        data = json.dumps(given).encode() if method == "POST" else None
        with urlopen(HttpRequest(f"{self.endpoint}/_control/{what}", data, method=method), timeout=30) as answer:
            return json.load(answer)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    ses: Ses

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Connections that clients, or we, break off are part of the tests.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Door(BaseHTTPRequestHandler):
    """Reads a request, looks for the fault that it meets, answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _handle(self) -> None:
        ses = self.server.ses
        if self.path.startswith("/_control/"):
            return self._control(ses, self.path.removeprefix("/_control/"))
        operation = _OPERATIONS.get((self.command, self.path)) or _THINGS.get(self._folder)
        if operation is None:
            return self._error("", Refusal("UnknownOperationException", "unknown", 404))
        if ses.breaks_unread(operation):
            return self._reset()
        asked = self._asked(operation)
        if asked.get("Action") == _RULES:
            operation = _RULES
        fault = ses.struck(operation, recipients(asked))
        if fault is not None:
            time.sleep(fault.delay)
            if fault.reset == "recorded":
                self._done(ses, operation, asked)
            if fault.reset:
                return self._reset()
            if fault.code or fault.body is not None:
                return self._error(operation, Refusal(fault.code, fault.message, fault.status), fault)
        return self._answer(ses, operation, asked)

    @property
    def _folder(self) -> str:
        return self.path.rpartition("/")[0] + "/"

    def _asked(self, operation: str) -> dict[str, Any]:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if operation == "SendBounce":
            return dict(parse_qsl(body.decode()))
        return json.loads(body) if body else {}

    def _answer(self, ses: Ses, operation: str, asked: dict[str, Any]) -> None:
        try:
            if not _SIGNED.match(self.headers.get("Authorization", "")):
                raise _NOT_SIGNED
            answer = self._done(ses, operation, asked)
        except Refusal as refusal:
            return self._error(operation, refusal)
        return self._say(200, answer)

    def _done(self, ses: Ses, operation: str, asked: dict[str, Any]) -> str:
        if operation == "SendEmail":
            return json.dumps({"MessageId": ses.send_email(asked)})
        if operation == "GetAccount":
            return json.dumps(ses.account())
        if operation in _THINGS.values():
            return json.dumps(ses.told(operation, unquote(self.path.rpartition("/")[2])))
        if operation == _RULES:
            return _xml(f"{_RULES}Response", f"<{_RULES}Result>{_elements(ses.told(_RULES, ''))}</{_RULES}Result>")
        if operation == "PutSuppressedDestination":
            ses.put_suppressed_destination(asked)
            return "{}"
        return _xml(
            "SendBounceResponse", f"<SendBounceResult><MessageId>{ses.send_bounce(asked)}</MessageId></SendBounceResult>"
        )

    def _error(self, operation: str, refusal: Refusal, fault: Fault | None = None) -> None:
        headers = {"x-amzn-ErrorType": refusal.code} if refusal.code else {}
        if fault is not None and fault.body is not None:
            return self._say(refusal.status, fault.body, fault.headers)
        if operation in ("SendBounce", _RULES):
            error = f"<Error><Type>Sender</Type><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message></Error>"
            return self._say(refusal.status, _xml("ErrorResponse", error))
        return self._say(refusal.status, json.dumps({"message": refusal.message}), headers | (fault.headers if fault else {}))

    def _say(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> None:
        octets = body.encode()
        named = {"x-amzn-RequestId": secrets.token_hex(16), "Content-Length": str(len(octets)), **(headers or {})}
        head = f"HTTP/1.1 {status} {self.responses.get(status, ('other', ''))[0]}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self.wfile.write(head.encode() + b"\r\n" + octets)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()

    def _control(self, ses: Ses, what: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        given = json.loads(self.rfile.read(length)) if length else None
        self._say(200, json.dumps(_controlled(ses, what, given)))


def _controlled(ses: Ses, what: str, given: Any) -> Any:
    if what == "sent":
        return [asdict(one) | {"data": base64.b64encode(one.data).decode()} for one in ses.sent]
    if what == "count":
        return len(ses.sent)
    if what in ("bounces", "suppressed"):
        return getattr(ses, what)
    if what == "verify":
        return ses.verify_only(*given)
    if what == "requests":
        return [asdict(request) for operation in _OPERATIONS.values() for request in ses.requests(operation)]
    if what == "plant":
        return ses.plant(*(Fault(**fault) for fault in given))
    if what == "account":
        return ses.set_account(**given)
    return {"heal": ses.heal, "clear": ses.clear}[what]()


def _xml(name: str, inside: str) -> str:
    return f'<{name} xmlns="http://ses.amazonaws.com/doc/2010-12-01/">{inside}<RequestId>{secrets.token_hex(16)}</RequestId></{name}>'


def _elements(value: Any) -> str:
    """As the query protocol writes it: lists have members."""
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_elements(one)}</{name}>" for name, one in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_elements(one)}</member>" for one in value)
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


def main(port: int) -> None:
    """Listen until the process is ended."""
    Server(port)
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
