"""The gateway serves the ports that sesmail.socket has systemd hold, in the order of its lines."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.packaging.tree import ROOT
from tests.servers.ports import BEGINS, free_ports, wait_until


@pytest.mark.parametrize("workers", [1, 2])
def test_a_gateway_that_the_first_connection_starts_answers_on_both_ports_and_after_a_reload(
    tmp_path: Path, workers: int
) -> None:
    pop3, submission = free_ports(2)
    (tmp_path / "sesmail.yaml").write_text(yaml.safe_dump(config(tmp_path, workers)))
    # As systemd does, with a name for each: Twisted finds none of them otherwise.
    activate = ["systemd-socket-activate", "--fdname=sesmail:sesmail", "-l", f"[::]:{pop3}", "-l", f"[::]:{submission}"]
    twistd = [str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile=", "sesmail", "--config", "sesmail.yaml"]
    with (tmp_path / "log").open("wb") as written:
        process = subprocess.Popen(
            [*activate, "-E", "PYTHONPATH", *twistd],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=written,
            stderr=written,
        )
    try:
        wait_until(lambda: b"Listening" in (tmp_path / "log").read_bytes(), seconds=10, what=(tmp_path / "log").read_text)
        assert greeting(pop3).startswith(b"+OK")
        assert greeting(submission).startswith(b"220 ")
        process.send_signal(signal.SIGHUP)
        # The parent of workers says so too.
        said, log = workers + (workers > 1), (tmp_path / "log").read_text
        wait_until(lambda: log().count("reloaded; changed") >= said, seconds=20, what=log)
        assert greeting(pop3).startswith(b"+OK")
        assert greeting(submission).startswith(b"220 ")
    finally:
        process.kill()
        process.wait()


def config(folder: Path, workers: int) -> dict[str, object]:
    shown = re.findall(r"^#\s+(\w+):\s+endpoint: (\S+)", (ROOT / "debian/sesmail.socket").read_text(), re.MULTILINE)
    doors = {door: {"listeners": [{"endpoint": endpoint, "tls": "starttls"}]} for door, endpoint in shown}
    return {**doors, "page": {"listeners": []}, "service": {"state_dir": str(folder / "state"), "workers": workers}}


def greeting(port: int) -> bytes:
    """What is said to whoever connects, also while the gateway begins."""
    with socket.create_connection(("127.0.0.1", port), BEGINS) as talk:
        return talk.recv(1000)
