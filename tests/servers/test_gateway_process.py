"""`twistd -n sesmail --config FILE` runs the gateway, and ends as an init system expects."""

from __future__ import annotations

import poplib
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.servers import gateway
from tests.servers.ports import answers, free_port


def config(directory: Path, port: int) -> dict[str, Any]:
    return {
        "storage": {"url": f"file://{directory}"},
        "auth": {"checkers": ["static"], "users": [{"name": "tom@example.com", "password": "sesame"}]},
        "pop3": {"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}]},
    }


def test_it_serves_what_the_configuration_says(tmp_path: Path) -> None:
    (tmp_path / "mailboxes/example.com/tom").mkdir(parents=True)
    (tmp_path / "mailboxes/example.com/tom/first").write_bytes(b"Subject: hello\r\n\r\nthere\r\n")
    with gateway.running(config(tmp_path, free_port())) as running:
        client = poplib.POP3("127.0.0.1", running.ports[0], timeout=20)
        client.user("tom@example.com")
        client.pass_("sesame")
        assert client.retr(1)[1] == [b"Subject: hello", b"", b"there"]
        client.quit()
        assert "sesame" not in running.log()


def test_it_ends_well_when_it_is_told_to(tmp_path: Path) -> None:
    with gateway.running(config(tmp_path, free_port())) as running:
        # Twisted ends a process that was told to by the same signal, once all is shut down.
        assert running.stop() in (0, -signal.SIGTERM)
        assert "Server Shut Down." in running.log()
        assert not answers(running.ports[0])


def test_it_does_not_run_without_its_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with gateway.started(config(tmp_path, port)) as refused:
            assert refused.wait_until_it_ends() != 0
            assert str(port) in refused.log()


def test_it_refuses_a_bad_configuration_without_a_traceback(tmp_path: Path) -> None:
    bad = {**config(tmp_path, free_port()), "pop4": {}}
    with pytest.raises(ChildProcessError, match="exit status 78") as refused, gateway.running(bad):
        pass
    assert "pop4" in str(refused.value)
    assert "Traceback" not in str(refused.value)
