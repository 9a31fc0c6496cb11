"""Each call that sesmail deliver makes fails, before it is done or after: the mail server is told to try again, and then it is there once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.stores import Bucket
from tests.servers import faultproxy, seaweed
from tests.servers.faultproxy import FaultProxy, Rule
from tests.servers.gateway import running
from tests.servers.ports import wait_until
from tests.servers.serving import serving

ROOT = Path(__file__).parents[2]
USER, SEALED = "user@host.example", "sealed@host.example"
MAIL = b"Received: by mx id 4XyZ; Wed, 18 Nov 2026 12:00:00 +0000\nSubject: hello\n\nbody\n"
KEY = (200, b'{"Plaintext": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "CiphertextBlob": "d3JhcHBlZA=="}')


@dataclass
class Site:
    folder: Path
    bucket: Bucket
    proxy: FaultProxy
    config: dict[str, Any]

    def deliver(self, recipient: str) -> tuple[int, bytes]:
        path = self.folder / "own.yaml"
        path.write_text(yaml.safe_dump(self.config))
        done = subprocess.run(
            [sys.executable, "-m", "sesmail.cli.deliver", "--config", str(path), "-a", recipient],
            input=MAIL,
            capture_output=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        assert done.stderr == b""
        return done.returncode, done.stdout

    def keys(self) -> list[str]:
        return [key for _, key in self.bucket.arrivals("")]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = seaweed.running()
    bucket = Bucket(server)
    with faultproxy.before(server.endpoint) as proxy:
        yield Site(
            tmp_path,
            bucket,
            proxy,
            {
                "storage": {**bucket.storage(), "endpoint": proxy.endpoint, "attempts": 1, "read_timeout": 2},
                "pop3": {"listeners": []},
                "deliver": {"mailboxes": [{"address": USER}, {"address": SEALED, "kms_key": "alias/mail"}]},
                "service": {"state_dir": str(tmp_path)},
            },
        )


@pytest.mark.parametrize("way", ["by itself", "by the gateway"])
def test_whatever_s3_does_it_is_tried_again_and_stored_once(site: Site, way: str) -> None:
    if way == "by itself":
        fails_until_it_is_mended(site)
        return
    socket = site.folder / "socket"
    site.config["lmtp"] = {"listeners": [{"endpoint": f"unix:{socket}"}]}
    with running(site.config) as gateway:
        wait_until(socket.is_socket, seconds=30, what=gateway.log)
        fails_until_it_is_mended(site)
        assert "received " in gateway.log()


def fails_until_it_is_mended(site: Site) -> None:
    for fault in ("500", "501", "503", "403", "404-bucket", "refuse"):
        site.proxy.fail(Rule(r"^PUT ", fault))
        status, said = site.deliver(USER)
        assert (status, said[:6], site.keys()) == (75, b"4.3.0 ", []), fault
    for fault in ("reset", "short", "stall"):
        # The object is there, and only the answer is lost.
        site.proxy.fail(Rule(r"^PUT ", fault))
        status, said = site.deliver(USER)
        assert (status, said[:6], len(site.keys())) == (75, b"4.3.0 ", 1), fault
    site.proxy.fail()
    for _ in range(2):
        assert site.deliver(USER) == (0, b"")
    assert len(site.keys()) == 1


@contextmanager
def kms(answers: list[tuple[int, bytes] | None]) -> Iterator[str]:
    """KMS as it is told: the answers one after the other, None breaks off."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer = answers.pop(0)
            if answer is None:
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Answering) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (500, b"{}"),
        (400, b'{"__type": "AccessDeniedException", "message": "no"}'),
        (400, b'{"__type": "DisabledException", "message": "no"}'),
        (400, b'{"__type": "NotFoundException", "message": "no"}'),
        (200, b"nonsense"),
        (200, b"{}"),
    ],
)
def test_whatever_kms_does_nothing_is_stored_unsealed_or_returned(site: Site, answer: tuple[int, bytes] | None) -> None:
    with kms([answer, KEY]) as endpoint:
        site.config["sealed"] = {"endpoint": endpoint}
        status, said = site.deliver(SEALED)
        assert (status, said[:6], site.keys()) == (75, b"4.3.0 ", [])
        assert site.deliver(SEALED) == (0, b"")
    (key,) = site.keys()
    client = seaweed.running().client()
    found = client.get_object(Bucket=site.config["storage"]["url"].removeprefix("s3://"), Key=key)
    assert b"Subject" not in found["Body"].read()
    assert found["Metadata"]["x-amz-wrap-alg"] == "kms+context"
    assert found["Metadata"]["sesmail-recipient"] == SEALED
