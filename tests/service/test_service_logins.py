"""Logins of every kind through a whole gateway, over a real S3 server where mail lies in one."""

from __future__ import annotations

import base64
import json
import poplib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from sesmail.auth.tokens import make
from tests.servers import dovecot, seaweed
from tests.servers.gateway import Gateway, running
from tests.servers.ports import free_port

SECRET = "a secret of more than thirty-two octets"


@pytest.fixture(scope="module")
def bucket() -> str:
    server = seaweed.running()
    name = server.make_bucket("logins")
    for key in ("tom/one", "tom/two", "tommy/three", "ann/four"):
        server.client().put_object(Bucket=name, Key=key, Body=b"Subject: %s\r\n\r\n" % key.encode())
    return name


@contextmanager
def serving(**sections: Mapping[str, Any]) -> Iterator[tuple[Gateway, Callable[[], poplib.POP3]]]:
    port = free_port()
    listener = {"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}
    config = {"pop3": {"listeners": [listener], "strike_delay": 0}, "tls": {"self_signed": True}, **sections}
    with running(config) as gateway:
        yield gateway, lambda: poplib.POP3("127.0.0.1", port, timeout=20)


def grant(bucket: str, **more: object) -> dict[str, object]:
    server = seaweed.running()
    keys = {"awsAccessKeyID": server.access_key, "awsSecretAccessKey": server.secret_key}
    return {**keys, "region": server.region, "bucket": bucket, "prefix": "tom", **more}


def storage(folder: Path) -> dict[str, object]:
    return {"url": folder.as_uri()}


def s3() -> dict[str, object]:
    """A store whose own keys are of no use: whoever reads mail there has brought his own."""
    return {"url": "s3://nobodys", "endpoint": seaweed.running().endpoint, "access_key_id": "AKIA", "secret_access_key": "x"}


def log_in(pop: poplib.POP3, name: str, password: str) -> int:
    """How many messages there are."""
    pop.user(name)
    pop.pass_(password)
    return pop.stat()[0]


def test_a_token_opens_the_mailbox_that_it_names_and_no_other(bucket: str) -> None:
    with serving(storage=s3(), auth={"checkers": ["passwd", "jwt"], "jwt_secret": SECRET}) as (gateway, connect):
        pop = connect()
        assert log_in(pop, "whoever", make(grant(bucket), SECRET)) == 2
        assert sorted(line.split()[1] for line in pop.uidl()[1]) == [b"one", b"two"]
        assert pop.retr(1)[1][0] == b"Subject: tom/one"
        pop.quit()
        assert log_in(connect(), "jwt", make(grant(bucket, prefix="ann/"), SECRET)) == 1
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            log_in(connect(), "jwt", make(grant(bucket), "guess"))
        # The key is wrong, and that is no wrong password.
        with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\]"):
            log_in(connect(), "jwt", make(grant(bucket, awsSecretAccessKey="x"), SECRET))
        secrets = (SECRET, seaweed.running().secret_key, make(grant(bucket), SECRET)[:40])
        assert not any(secret in gateway.log() for secret in secrets)


def test_none_and_demo_need_no_bucket(tmp_path: Path) -> None:
    with serving(storage=storage(tmp_path), auth={"checkers": ["jwt"], "jwt_secret": SECRET}) as (_, connect):
        assert log_in(connect(), "jwt", make({"provider": "none"}, SECRET)) == 0
        for _ in range(2):
            pop = connect()
            assert log_in(pop, "jwt", make({"provider": "demo"}, SECRET)) == 1
            size = int(pop.list()[1][0].split()[1])
            assert sum(len(line) + 2 for line in pop.retr(1)[1]) == size
            pop.dele(1)
            pop.quit()


def test_a_token_comes_as_a_bearer_token_too(tmp_path: Path) -> None:
    token = make({"provider": "demo"}, SECRET)
    with serving(storage=storage(tmp_path), auth={"checkers": ["jwt"], "jwt_secret": SECRET}) as (_, connect):
        for mechanism, response in (
            ("XOAUTH2", f"user=tom@example.com\1auth=Bearer {token}\1\1"),
            ("OAUTHBEARER", f"n,a=tom@example.com,\1auth=Bearer {token}\1\1"),
        ):
            pop: Any = connect()
            assert mechanism in pop.capa()["SASL"]
            pop._shortcmd(f"AUTH {mechanism} {base64.b64encode(response.encode()).decode()}")
            assert pop.stat()[0] == 1
    with serving(storage=storage(tmp_path)) as (_, connect):
        assert connect().capa()["SASL"] == ["PLAIN", "LOGIN"]


@contextmanager
def web_server(users: Mapping[str, dict[str, object]]) -> Iterator[str]:
    """Lets in whoever it has under his ``name:password``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
            body = json.dumps(users.get(said, {})).encode()
            self.send_response(200 if said in users else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_web_server_lets_in_and_says_where_the_mail_lies(bucket: str) -> None:
    with (
        web_server({"tom:secret": grant(bucket)}) as url,
        serving(storage=s3(), auth={"checkers": ["http"], "http_url": url}) as (_, connect),
    ):
        assert log_in(connect(), "tom", "secret") == 2
        with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
            log_in(connect(), "tom", "wrong")
    with (
        serving(storage=s3(), auth={"checkers": ["http"], "http_url": url}) as (_, connect),
        pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\]"),
    ):
        log_in(connect(), "tom", "secret")


def _mail(folder: Path) -> None:
    (folder / "mailboxes/example.com/tom").mkdir(parents=True)
    (folder / "mailboxes/example.com/tom/one").write_bytes(b"Subject: x\r\n\r\n")


def test_dovecot_lets_in(tmp_path: Path) -> None:
    _mail(tmp_path)
    with dovecot.running("tom@example.com:{PLAIN}secret\n") as server:
        auth = {"checkers": ["static", "dovecot"], "dovecot": f"unix:{server.socket}"}
        with serving(storage=storage(tmp_path), mailboxes={"default_domain": "example.com"}, auth=auth) as (_, connect):
            assert log_in(connect(), "tom", "secret") == 1
            with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
                log_in(connect(), "tom", "wrong")


@pytest.mark.parametrize("kind", ["path", "key"])
def test_one_password_file_lets_in_and_old_hashes_are_replaced(tmp_path: Path, kind: str) -> None:
    _mail(tmp_path)
    path = tmp_path / "users" if kind == "path" else tmp_path / "etc" / "users"
    path.parent.mkdir(exist_ok=True)
    path.write_text("tom@example.com:{PLAIN}secret:1:2\nann:{PLAIN}x\n")
    auth = {"checkers": ["passwd-file"], "passwd_file": str(path) if kind == "path" else "etc/users", "upgrade": True}
    with serving(storage=storage(tmp_path), auth=auth) as (gateway, connect):
        assert log_in(connect(), "tom@example.com", "secret") == 1
        gateway.wait_for_log("was replaced by a better one")
        assert path.read_text().splitlines()[1] == "ann:{PLAIN}x"
        assert "secret" not in path.read_text()
        assert log_in(connect(), "tom@example.com", "secret") == 1


@pytest.mark.parametrize("kind", ["path", "key", "domain"])
def test_a_password_file_inside_a_mailbox_is_never_mail(tmp_path: Path, kind: str) -> None:
    _mail(tmp_path)
    key = "mailboxes/example.com/tom/" + "0123456789abcdef" * 2
    (tmp_path / key).write_text("tom@example.com:{PLAIN}secret\n")
    file = str(tmp_path / key) if kind == "path" else key
    auth = {"checkers": ["passwd"]} if kind == "domain" else {"checkers": ["passwd-file"], "passwd_file": file}
    mailboxes = {"passwd": key.replace("example.com", "%d")} if kind == "domain" else {}
    with serving(storage=storage(tmp_path), auth=auth, mailboxes=mailboxes) as (_, connect):
        assert log_in(connect(), "tom@example.com", "secret") == 1


def test_who_guesses_waits_whatever_the_connection(tmp_path: Path) -> None:
    _mail(tmp_path)
    auth = {"users": [{"name": "tom@example.com", "password": "secret"}], "throttle_account": 2, "throttle_wait": "1h"}
    auth |= {"throttle_longest": "1h"}
    with serving(storage=storage(tmp_path), auth=auth) as (gateway, connect):
        for _ in range(2):
            with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
                log_in(connect(), "tom@example.com", "wrong")
        for password in ("wrong", "secret"):
            with pytest.raises(poplib.error_proto, match=r"\[LOGIN-DELAY\]"):
                log_in(connect(), "TOM@example.com", password)
        gateway.wait_for_log("login-refused .*reason=Limited")
