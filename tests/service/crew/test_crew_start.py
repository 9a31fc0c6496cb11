"""What keeps several processes from starting is said in one line, with the status of one process."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from tests.servers.certificates import Authority
from tests.servers.gateway import started
from tests.service.crew.crews import crew
from tests.service.house import config


def ended(folder: Path, expected: int, **sections: Any) -> str:
    """What a gateway of two workers says that does not come up."""
    authority = Authority(folder)
    service = {"workers": 2, "state_dir": str(folder / "state")}
    with started(config(folder, authority, service=service, **sections)) as gateway:
        assert gateway.wait_until_it_ends(60) == expected, gateway.log()
        return gateway.log()


def test_a_port_that_is_taken_ends_the_start_with_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        log = ended(tmp_path, 1, pop3={"listeners": [{"endpoint": taken, "tls": "implicit"}]})
    assert log.count("cannot listen on") == 1
    assert "Traceback" not in log
    assert "begins as process" not in log


def test_a_certificate_that_is_not_there_ends_the_start_before_any_worker_begins(tmp_path: Path) -> None:
    gone = {"certificate": str(tmp_path / "gone.pem"), "key": str(tmp_path / "gone.key")}
    log = ended(tmp_path, 78, tls={"certificates": [gone]})
    assert "gone.pem" in log
    assert "Traceback" not in log


def test_a_spool_that_another_gateway_has_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with crew(tmp_path):
        log = ended(tmp_path / "other", 1, relay={"spool": str(tmp_path / "state" / "spool")})
    assert "Traceback" not in log
