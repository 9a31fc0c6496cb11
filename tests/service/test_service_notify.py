"""What systemd is told, at a real datagram socket; and a gateway whose reactor is stuck, which tells nothing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sesmail.service.notify import Notify, patience, told
from tests.servers.gateway import Gateway, running
from tests.servers.ports import free_port, wait_until


class System:
    """What listens where NOTIFY_SOCKET says."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def all(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self._socket.recv(4096).decode())
        return self.heard

    def wait_for(self, pattern: str, count: int = 1) -> None:
        def is_there() -> bool:
            return len([one for one in self.all() if re.fullmatch(pattern, one)]) >= count

        wait_until(is_there, seconds=10, what=lambda: repr(self.heard))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    found = System(str(tmp_path / "notify"))
    yield found
    found.close()


def test_notices_are_those_of_sd_notify(system: System, tmp_path: Path) -> None:
    notify = Notify(str(tmp_path / "notify"), now=lambda: 5_000_999)
    notify.ready()
    notify.reloading()
    notify.ready()
    notify.alive()
    notify.status("2 sessions")
    notify.status("2 sessions")
    notify.stopping()
    assert system.all() == [
        "READY=1",
        "RELOADING=1\nMONOTONIC_USEC=5000",
        "READY=1",
        "WATCHDOG=1",
        "STATUS=2 sessions",
        "STOPPING=1",
    ]


def test_a_reload_that_ends_after_the_stop_began_does_not_make_it_ready_again(system: System, tmp_path: Path) -> None:
    notify = Notify(str(tmp_path / "notify"))
    notify.stopping()
    notify.ready()
    notify.reloading()
    notify.alive()
    assert system.all() == ["STOPPING=1", "WATCHDOG=1"]


def test_an_abstract_socket_is_told_too() -> None:
    system = System(f"\0sesmail-test-{os.getpid()}")
    told({"NOTIFY_SOCKET": f"@sesmail-test-{os.getpid()}"}).ready()
    assert system.all() == ["READY=1"]
    system.close()


def test_a_socket_that_nobody_listens_at_ends_nothing(tmp_path: Path) -> None:
    told({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()
    told({}).ready()
    told({"NOTIFY_SOCKET": "vsock:2:1"}).ready()


def test_a_socket_that_is_full_keeps_nobody_waiting(system: System, tmp_path: Path) -> None:
    notify = Notify(str(tmp_path / "notify"))
    for _ in range(5000):
        notify.alive()
    assert 0 < len(system.all()) < 5000


def test_the_watchdog_is_that_of_this_process() -> None:
    ours = str(os.getpid())
    assert patience({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": ours}) == 3
    assert patience({"WATCHDOG_USEC": "3000000"}) == 3
    assert patience({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}) is None
    for nothing in ("", "0", "-1", "soon"):
        assert patience({"WATCHDOG_USEC": nothing}) is None


@contextlib.contextmanager
def told_gateway(folder: Path, watchdog: float = 0) -> Iterator[Gateway]:
    listener = {"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}
    config: dict[str, Any] = {"pop3": {"listeners": [listener]}}
    environment = {"NOTIFY_SOCKET": str(folder / "notify")}
    if watchdog:
        environment["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))
    with running(config, environment=environment) as gateway:
        yield gateway


def test_a_gateway_says_when_it_serves_reloads_and_stops(system: System, tmp_path: Path) -> None:
    with told_gateway(tmp_path) as gateway:
        system.wait_for("READY=1")
        system.wait_for("STATUS=0 sessions at 1 listener")
        gateway.signal(signal.SIGHUP)
        system.wait_for("READY=1", 2)
        heard = [one for one in system.all() if not one.startswith("STATUS")]
        assert [one.split("\n")[0] for one in heard] == ["READY=1", "RELOADING=1", "READY=1"]
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", heard[1])
        gateway.config_file.write_text("pop3: [\n")
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_log("everything stays as it was")
        system.wait_for("READY=1", 3)
        gateway.stop()
        assert system.all()[-1] == "STOPPING=1"


def test_nobody_hears_of_a_gateway_that_cannot_listen(system: System, tmp_path: Path) -> None:
    with told_gateway(tmp_path) as gateway:
        system.wait_for("READY=1")
        with pytest.raises(ChildProcessError), told_again(gateway, tmp_path):
            pass
        assert len([one for one in system.all() if one == "READY=1"]) == 1


@contextlib.contextmanager
def told_again(gateway: Gateway, folder: Path) -> Iterator[Gateway]:
    listener = {"endpoint": f"tcp:{gateway.ports[0]}:interface=127.0.0.1", "tls": "none"}
    with running({"pop3": {"listeners": [listener]}}, environment={"NOTIFY_SOCKET": str(folder / "notify")}) as other:
        yield other


def test_a_stuck_reactor_sends_no_beat(system: System, tmp_path: Path) -> None:
    # What only a fault of ours could do: a signal that keeps the main thread for ever.
    code = "import signal, time\nsignal.signal(signal.SIGUSR2, lambda *_: time.sleep(600))\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    listener = {"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000", "PYTHONPATH": path}
    with running({"pop3": {"listeners": [listener]}}, environment=environment) as gateway:
        system.wait_for("WATCHDOG=1", 3)
        gateway.signal(signal.SIGUSR2)
        quiet = [0]

        def is_quiet() -> bool:
            quiet.append(len(system.all()))
            return len(quiet) > 300 and quiet[-1] == quiet[-250]

        wait_until(is_quiet, seconds=10, what=gateway.log)
        assert gateway.ended is None
