"""The servers that the tests stand on do what the tests rely on."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from tests.servers import seaweed
from tests.servers.certificates import Authority, Certificate
from tests.servers.ports import answers, free_port, free_ports, wait_until
from tests.servers.process import Guarded
from tests.servers.proxy import delayed


def test_seaweedfs_keeps_what_is_put() -> None:
    server = seaweed.running()
    bucket, client = server.make_bucket("kept"), server.client()
    client.put_object(Bucket=bucket, Key="a/ä b", Body=b"\0\r\nthere")
    assert client.get_object(Bucket=bucket, Key="a/ä b")["Body"].read() == b"\0\r\nthere"


def test_seaweedfs_refuses_a_wrong_key() -> None:
    server = seaweed.running()
    stranger = seaweed.S3Server(server.endpoint, secret_key="not it")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.client().list_buckets()


def test_seaweedfs_is_started_once() -> None:
    assert seaweed.running() is seaweed.running()


def test_two_processes_are_not_given_the_same_ports() -> None:
    mine = set(free_ports(300))
    program = "from tests.servers.ports import free_ports; print(*free_ports(3000))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    theirs = set(map(int, said.split()))
    assert (len(mine), len(theirs)) == (300, 3000)
    assert mine.isdisjoint(theirs)


def test_proxy_delays_requests_but_not_each_other() -> None:
    server = seaweed.running()
    bucket, client = server.make_bucket("delayed"), server.client()
    client.put_object(Bucket=bucket, Key="k", Body=b"there")
    with delayed(server.endpoint, 0.2) as endpoint:
        far = seaweed.S3Server(endpoint).client()
        far.get_object(Bucket=bucket, Key="k")["Body"].read()
        began = time.monotonic()
        threads = [threading.Thread(target=far.get_object, kwargs={"Bucket": bucket, "Key": "k"}) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 0.2 <= time.monotonic() - began < 1.0


def test_proxy_carries_large_bodies_unchanged() -> None:
    server = seaweed.running()
    bucket, client = server.make_bucket("large"), server.client()
    body = os.urandom(20_000_000)
    with delayed(server.endpoint, 0.01) as endpoint:
        far = seaweed.S3Server(endpoint).client()
        far.put_object(Bucket=bucket, Key="k", Body=body)
        assert far.get_object(Bucket=bucket, Key="k")["Body"].read() == body
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_proxy_hangs_up_when_nobody_is_behind_it() -> None:
    with delayed(f"http://127.0.0.1:{free_port()}", 0.0) as endpoint, pytest.raises(OSError, match=r"reset|closed|refused"):
        urlopen(endpoint, timeout=10)


def test_servers_end_with_a_killed_process(tmp_path: Path) -> None:
    port = free_port()
    program = (
        "import sys, time; from pathlib import Path; from tests.servers.process import Guarded\n"
        f"Guarded([sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', '{port}'], Path({str(tmp_path / 'log')!r}))\n"
        "time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program])
    try:
        wait_until(lambda: answers(port), seconds=20, what=lambda: "no server")
    finally:
        owner.kill()
        owner.wait()
    wait_until(lambda: not answers(port), seconds=10, what=lambda: "the server outlived its owner")


def test_a_stopped_server_is_gone(tmp_path: Path) -> None:
    port = free_port()
    server = Guarded([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)], tmp_path / "log")
    wait_until(lambda: answers(port), seconds=20, what=server.tail)
    server.stop()
    assert not answers(port)


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        (("mail.example.com",), "mail.example.com", True),
        (("*.example.com",), "mail.example.com", True),
        (("127.0.0.1",), "127.0.0.1", True),
        (("mail.example.com",), "other.example.com", False),
        (("*.example.com",), "a.mail.example.com", False),
    ],
)
def test_certificates_are_good_for_their_names_alone(tmp_path: Path, names: tuple[str, ...], host: str, good: bool) -> None:
    authority = Authority(tmp_path)
    assert _handshake_succeeds(authority, authority.issue(*names), host) is good


def test_an_expired_certificate_is_no_good(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert not _handshake_succeeds(authority, authority.issue("mail.example.com", expired=True), "mail.example.com")


def test_certificates_of_a_stranger_are_no_good(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    stranger = Authority(tmp_path / "theirs").issue("mail.example.com")
    assert not _handshake_succeeds(Authority(tmp_path / "ours"), stranger, "mail.example.com")


def _handshake_succeeds(authority: Authority, issued: Certificate, host: str) -> bool:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(issued.certificate, issued.key)
    client_context = ssl.create_default_context(cafile=str(authority.certificate))
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError:
            return False
    return True
