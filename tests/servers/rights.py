"""A user of moto's whose rights are checked, and what AWS was asked for on the way there."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import boto3

from tests.servers import moto

REGION = "eu-west-1"

# Operations whose right has the name of another one, and those that need two.
_RIGHTS = {
    "sqs:DeleteMessageBatch": {"sqs:DeleteMessage"},
    "sqs:ChangeMessageVisibilityBatch": {"sqs:ChangeMessageVisibility"},
    "ses:SendEmail": {"ses:SendEmail", "ses:SendRawEmail"},
}
_SESV2 = {
    ("POST", "/v2/email/outbound-emails"): "SendEmail",
    ("GET", "/v2/email/account"): "GetAccount",
    ("PUT", "/v2/email/suppression/addresses"): "PutSuppressedDestination",
}


def client(service: str) -> Any:
    """As the owner of the account."""
    keys = {"aws_access_key_id": "AKIAROOT", "aws_secret_access_key": "root"}
    return boto3.client(service, endpoint_url=moto.running(), region_name=REGION, **keys)


class User:
    """One with keys, who may do what he is allowed and nothing else."""

    def __init__(self) -> None:
        self._name = f"user-{token_hex(4)}"
        self._iam = client("iam")
        self._iam.create_user(UserName=self._name)
        made = self._iam.create_access_key(UserName=self._name)["AccessKey"]
        self.keys = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}

    def allow(self, document: Mapping[str, Any]) -> None:
        """This and no more."""
        self._iam.put_user_policy(UserName=self._name, PolicyName="mail", PolicyDocument=json.dumps(document))


@contextmanager
def checked() -> Iterator[None]:
    """Until the end, rights are checked."""
    _check_after("0")
    try:
        yield
    finally:
        _check_after("inf")


def _check_after(requests: str) -> None:
    order = Request(f"{moto.running()}/moto-api/reset-auth", requests.encode(), {"Content-Type": "text/plain"})
    urlopen(order, timeout=30).close()


class Asked:
    """Stands before an endpoint; `rights` are those that the requests so far need, by AWS's names."""

    def __init__(self, endpoint: str) -> None:
        self.rights: set[str] = set()
        self.target = urlsplit(endpoint)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
        self._server.daemon_threads = True
        self._server.asked = self  # type: ignore[attr-defined]
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def recorded(endpoint: str) -> Iterator[Asked]:
    """One that listens until the end."""
    asked = Asked(endpoint)
    try:
        yield asked
    finally:
        asked.stop()


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _pass_on(self) -> None:
        asked: Asked = self.server.asked  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked.rights |= _rights(self.command, self.path, self.headers, body)
        server = http.client.HTTPConnection(str(asked.target.hostname), asked.target.port, timeout=60)
        # With the headers as they are, Host among them: they are signed.
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                server.putheader(name, value)
        server.endheaders(body)
        answer = server.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        server.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _rights(method: str, path: str, headers: Any, body: bytes) -> set[str]:
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([a-z0-9]+)/", headers.get("Authorization", ""))
    assert scope is not None, f"not signed: {method} {path}"
    service = scope[1]
    if service == "s3":
        return _of_s3(method, path, headers)
    target = headers.get("x-amz-target", "").rpartition(".")[2]
    name = target or _SESV2.get((method, path)) or parse_qs(body.decode("ascii", "replace")).get("Action", ["unknown"])[0]
    return _RIGHTS.get(f"{service}:{name}", {f"{service}:{name}"})


def _of_s3(method: str, path: str, headers: Any) -> set[str]:
    parts = urlsplit(path)
    key = parts.path.lstrip("/").partition("/")[2]
    if method == "GET" and not key:
        return {"s3:ListBucket"}
    if method == "POST" and "delete" in parts.query:
        return {"s3:DeleteObject"}
    if method == "PUT" and "x-amz-copy-source" in headers:
        return {"s3:GetObject", "s3:PutObject"}
    return {{"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}[method]}
