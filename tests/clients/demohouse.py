"""The demo as a person starts it, on ports of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sesmail.service.demo import DOMAIN, LOCAL, PASSWORD, Demo
from tests.clients.doors import Door
from tests.servers.ports import answers, free_ports, wait_until
from tests.servers.process import Guarded

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class DemoHouse:
    """Its doors, its folder, and what it printed."""

    demo: Demo
    log: Path

    def door(self, port: int, *, implicit: bool) -> Door:
        return Door("127.0.0.1", port, implicit, self.demo.certificate, f"{LOCAL}@{DOMAIN}", PASSWORD)

    @property
    def pop3s(self) -> Door:
        return self.door(self.demo.tls_port, implicit=True)

    @property
    def starttls(self) -> Door:
        return self.door(self.demo.submission_port, implicit=False)

    @property
    def smtps(self) -> Door:
        return self.door(self.demo.submission_tls_port, implicit=True)

    def outbox(self) -> list[Path]:
        """The files there, oldest first."""
        return sorted(self.demo.outbox.glob("*.eml"))


@contextmanager
def running(folder: Path) -> Iterator[DemoHouse]:
    """`sesmail demo`, listening on all its ports."""
    ports = free_ports(5)
    demo = Demo(folder / "demo", *ports)
    names = ("--port", "--tls-port", "--submission-port", "--submission-tls-port", "--page-port")
    given = [word for name, port in zip(names, ports, strict=True) for word in (name, str(port))]
    process = Guarded(
        [sys.executable, "-m", "sesmail.cli.main", "demo", "--directory", demo.folder, *given],
        folder / "log",
        environment={**os.environ, "PYTHONPATH": str(_ROOT)},
        cwd=folder,
    )
    try:
        wait_until(lambda: all(answers(port) for port in ports), seconds=60, what=process.tail)
        yield DemoHouse(demo, process.log)
    finally:
        process.stop()
