"""What systemd hears of several processes: it is the parent that speaks, for all of them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

from tests.servers.ports import wait_until
from tests.service.crew.crews import crew
from tests.service.test_service_notify import System


def test_it_is_ready_when_all_workers_serve_and_again_when_all_have_reloaded(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000000"}
    with contextlib.closing(System(environment["NOTIFY_SOCKET"])) as system, crew(tmp_path, environment=environment) as here:
        system.wait_for("READY=1")
        assert len(re.findall(r"worker \d+ serves", here.gateway.log())) == 2
        system.wait_for("WATCHDOG=1")
        system.wait_for("STATUS=2 of 2 workers serve")
        stopped = here.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        here.gateway.signal(signal.SIGHUP)
        system.wait_for("RELOADING=1\nMONOTONIC_USEC=.*")
        wait_until(lambda: here.gateway.log().count("worker 1 serves") == 2, seconds=20, what=here.gateway.log)
        assert system.all().count("READY=1") == 1
        os.kill(stopped, signal.SIGCONT)
        system.wait_for("READY=1", 2)
        here.gateway.stop()
        assert system.all()[-1] == "STOPPING=1"
