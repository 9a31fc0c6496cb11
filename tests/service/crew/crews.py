"""A gateway of several processes, with people in it; its workers are found, stopped and killed one by one."""

from __future__ import annotations

import contextlib
import os
import poplib
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.servers.certificates import Authority
from tests.servers.gateway import running
from tests.servers.ports import wait_until
from tests.service.house import PASSWORD, TOM, House, config
from tests.service.tls import trusting


class Crew:
    """The running processes. `house` has its ports and people."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.gateway = house.gateway

    def workers(self) -> list[int]:
        """The process ids of the workers that run."""
        return children(self.gateway.pid)

    def wait_until_they_serve(self, times: int, seconds: float = 30) -> None:
        """Until that many workers have begun to serve, each time that one does."""
        wait_until(
            lambda: len(re.findall(r"worker \d+ serves", self.gateway.log())) >= times or self.gateway.ended is not None,
            seconds=seconds,
            what=self.gateway.log,
        )
        assert self.gateway.ended is None, self.gateway.log()

    def pop(self, user: str = TOM, password: str = PASSWORD) -> poplib.POP3_SSL:
        """Logged in."""
        session = self.connected()
        session.user(user)
        session.pass_(password)
        return session

    def connected(self) -> poplib.POP3_SSL:
        """Before the login."""
        context = trusting(self.house.authority)
        return poplib.POP3_SSL("localhost", self.gateway.ports[0], context=context, timeout=60)


@contextlib.contextmanager
def crew(folder: Path, workers: int = 2, *, environment: Mapping[str, str] = {}, **sections: Any) -> Iterator[Crew]:
    """Several workers, all of which serve; `sections` change the configuration of the house."""
    authority = Authority(folder)
    service = {"workers": workers, "state_dir": str(folder / "state"), **sections.pop("service", {})}
    with running(config(folder, authority, service=service, **sections), environment=environment) as gateway:
        found = Crew(House(gateway, folder, authority.certificate))
        found.wait_until_they_serve(workers)
        pids = found.workers()
        try:
            yield found
        finally:
            if gateway.ended is None:
                gateway.kill()
            # They end without their parent, but not within the time of a test that has failed.
            for pid in {*pids, *found.workers()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """The processes that this one has started and that run."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def connections(pid: int, port: int) -> int:
    """How many connections to its own `port` a process has, as the kernel sees them."""
    inodes = {os.readlink(one) for one in _descriptors(pid)}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "01" and int(row[1].split(":")[1], 16) == port and f"socket:[{row[9]}]" in inodes for row in rows)


def _descriptors(pid: int) -> Iterator[Path]:
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            os.readlink(one)
            yield one
