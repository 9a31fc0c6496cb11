"""Logins by token and by web server go on as aws-ses-pop3-server had them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import poplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.importers.gateways import MAIL, config_file, fetched, fill, imported, serving, variables
from tests.servers import seaweed
from tests.servers.ports import free_port
from tests.servers.seaweed import S3Server

USER, PASSWORD = "jane.doe@example.com", "6xRkiWA4: mZBSaNmv"


@pytest.fixture(scope="module")
def server() -> S3Server:
    return seaweed.running()


def token(server: S3Server, bucket: str, secret: str) -> str:
    claims = {
        "awsAccessKeyID": server.access_key,
        "awsSecretAccessKey": server.secret_key,
        "region": server.region,
        "bucket": bucket,
        "prefix": "in",
    }
    signed = b".".join(_url_safe(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + _url_safe(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


def _url_safe(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


# From the vectors of the format: secret "secret", claims {"provider": "none"}.
NONE = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJwcm92aWRlciI6Im5vbmUifQ.JlXM7PHCpLFE9eNYtCh2x2TvDpM8eUgGuq4_16w0LW0"


@pytest.mark.parametrize("way", ["file", "variables"])
def test_tokens_open_the_mailboxes_they_name(way: str, server: S3Server, tmp_path: Path) -> None:
    bucket, port = fill(server, "in/"), free_port()
    keys = {"port": str(port), "jwt-secret": "secret", "user": "ignored", "http-basic-auth-url": "http://example.com/"}
    arguments: list[str] = []
    if way == "file":
        config_file(tmp_path, {**keys, "port": port})
        arguments = ["--config", str(imported("aws-ses-pop3-server", cwd=tmp_path))]
    with serving(port, *arguments, cwd=tmp_path, server=server, **variables(keys if way == "variables" else {})):
        assert fetched(port, "jwt", token(server, bucket, "secret")) == MAIL
        assert fetched(port, "anybody", NONE) == {}
        with pytest.raises(poplib.error_proto):
            fetched(port, "jwt", token(server, bucket, "another"))


@contextmanager
def answering(answer: dict[str, str]) -> Iterator[str]:
    """A web server that answers to USER and PASSWORD as HTTP basic authentication; gives its URL."""
    right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers["Authorization"] == right else 401)
            self.end_headers()
            if self.headers["Authorization"] == right:
                self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{web.server_port}/mailbox"
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


def test_a_web_server_says_who_may_log_in(server: S3Server, tmp_path: Path) -> None:
    bucket, port = fill(server, "in/"), free_port()
    answer = {
        "awsAccessKeyID": server.access_key,
        "awsSecretAccessKey": server.secret_key,
        "region": server.region,
        "bucket": bucket,
        "prefix": "in/",
    }
    with answering(answer) as url:
        config_file(tmp_path, {"port": port, "http-basic-auth-url": url})
        file = imported("aws-ses-pop3-server", cwd=tmp_path)
        with serving(port, "--config", str(file), cwd=tmp_path, server=server):
            assert fetched(port, USER, PASSWORD) == MAIL
            with pytest.raises(poplib.error_proto):
                fetched(port, USER, "another")
