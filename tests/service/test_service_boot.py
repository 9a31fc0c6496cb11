"""A gateway that starts before the network does, and one that may write nowhere but into its own folder."""

from __future__ import annotations

import os
import poplib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.servers.gateway import running
from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded
from tests.servers.seaweed import running as s3

ROOT = Path(__file__).parents[2]
USER, PASSWORD = "tom@example.com", "right horse"
KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "x" * 40}


def login(port: int) -> tuple[int, int]:
    pop = poplib.POP3("127.0.0.1", port, timeout=30)
    pop.user(USER)
    pop.pass_(PASSWORD)
    found = pop.stat()
    pop.quit()
    return found


def listener(port: int) -> dict[str, Any]:
    return {"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}]}


def test_without_a_network_it_comes_up_says_so_and_recovers_by_itself(tmp_path: Path) -> None:
    server, port, nobody = s3(), free_port(), free_port()
    bucket = server.make_bucket("boot")
    server.put_all(bucket, [("mailboxes/example.com/passwd.txt", f"tom:{{PLAIN}}{PASSWORD}\n".encode())])
    server.put_all(bucket, [("mailboxes/example.com/tom/one", b"Subject: one\r\n\r\nx\r\n")])
    dead = {"endpoint": f"http://127.0.0.1:{nobody}", "region": "us-east-1"}
    who = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    config = {
        "storage": {"url": f"s3://{bucket}", **dead, **who, "attempts": 1, "connect_timeout": 1},
        "mailboxes": {"lock": "bucket"},
        "auth": {"checkers": ["passwd"]},
        "pop3": listener(port),
        "aliases": {"table": "dynamodb", "dynamodb_table": "aliases", **dead, **KEYS},
        "queue": {"url": f"http://127.0.0.1:{nobody}/1/mail", **dead, **KEYS},
        "sealed": dead,
        "incoming": {"prefix": "inbox/"},
    }
    with running(config) as gateway:
        for _ in range(2):
            with pytest.raises(poplib.error_proto, match=re.escape("[SYS/TEMP]")):
                login(port)
        assert gateway.ended is None
        target = urlsplit(server.endpoint)
        way = [str(nobody), str(target.hostname), str(target.port), "0"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        proxy = Guarded([sys.executable, "-m", "tests.servers.proxy", *way], tmp_path / "proxy", environment=environment)
        try:
            wait_until(lambda: answers(nobody), seconds=15, what=proxy.tail)
            wait_until(lambda: _works(port), seconds=15, what=gateway.log)
        finally:
            proxy.stop()
        assert "Traceback" not in gateway.log()


def _works(port: int) -> bool:
    try:
        return login(port)[0] == 1
    except poplib.error_proto as error:
        if "[SYS/TEMP]" not in str(error):
            raise
        return False


# Everything is bound again read-only, but the one folder; then the gateway runs without the right to change that.
READ_ONLY = """
mount --make-rprivate /
mount --bind "$1" "$1"
for at in $(awk '{print $5}' /proc/self/mountinfo | sort -r); do
    case "$at" in "$1"|/proc|/proc/*|/sys|/sys/*|/dev|/dev/*) ;; *) mount -o remount,bind,ro "$at" 2>/dev/null || : ;; esac
done
touch /sesmail-writes-here 2>/dev/null && exit 3
shift
exec "$@"
"""


def test_it_runs_with_a_root_that_nobody_may_write_to(tmp_path: Path) -> None:
    state, port, submission = tmp_path / "state", free_port(), free_port()
    state.mkdir()
    config = tmp_path / "sesmail.yaml"
    config.write_text(
        f"""
auth: {{checkers: [static], users: [{{name: {USER}, password: {PASSWORD}}}]}}
pop3: {{listeners: [{{endpoint: "tcp:{port}:interface=127.0.0.1", tls: none}}]}}
submission: {{listeners: [{{endpoint: "tcp:{submission}:interface=127.0.0.1", tls: implicit}}]}}
page: {{listeners: []}}
service: {{state_dir: {state}}}
"""
    )
    serve = [str(Path(sys.executable).parent / "twistd"), "--nodaemon", "--pidfile=", "sesmail", "--config", str(config)]
    command = [
        "unshare",
        *(["--map-root-user"] if os.geteuid() else []),
        "--mount",
        "sh",
        "-euc",
        READ_ONLY,
        "sh",
        str(state),
        *serve,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, cwd="/", env=environment, stdout=log, stderr=log) as served,
    ):
        try:
            wait_until(lambda: served.poll() is not None or answers(port), seconds=30, what=(tmp_path / "log").read_text)
            assert served.poll() is None, (tmp_path / "log").read_text()
            assert login(port) == (0, 0)
        finally:
            served.terminate()
            served.wait(30)
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert (state / "spool").is_dir()
