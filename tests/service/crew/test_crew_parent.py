"""What the parent tells of reloads and of its stop, with small programs in the place of its workers."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from sesmail.config.load import load
from sesmail.config.table import Config
from sesmail.service.crew import parent
from sesmail.service.crew.parent import Parent
from sesmail.service.listeners import Endpoints
from tests.servers.ports import answers, free_port
from tests.service.tls import reactor

# Ends when it is told anything.
WAITS = "import os; os.read(4, 1000)"


class Late:
    """Starts processes at once and everything else when its clock says so."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.callLater, self.seconds = self.clock.callLater, self.clock.seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class Heard:
    """See reloading.Told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def reloading(self) -> None:
        self.words.append("reloading")

    def ready(self) -> None:
        self.words.append("ready")


class ParentTest(TestCase):
    def setUp(self) -> None:
        self.late, self.heard, self.port = Late(), Heard(), free_port()
        file = Path(tempfile.mkdtemp()) / "sesmail.yaml"
        file.write_text("service: {workers: 2}")
        config = load(str(file), {})
        run = [sys.executable, "-c", WAITS]
        self.parent = Parent(config, self.late, lambda: config, self.plan, self.heard, run=run, patience=1e6)
        self.parent.privilegedStartService()
        self.parent.startService()
        self.reloading: Any = self.parent.getServiceNamed("reloading")
        self.edition = 0
        self.serve()
        self.addCleanup(self.parent.stopService)

    def plan(self, config: Config, endpoints: Endpoints) -> None:
        endpoints(f"tcp:{self.port}:interface=127.0.0.1", None, "666")

    def serve(self) -> None:
        """Have all workers say that they serve by what they were given last."""
        self.edition += 1
        for member in self.parent.members:
            self.parent.watch.calls["serving"][0](member.seat, self.edition)

    async def test_it_is_ready_when_all_workers_are(self) -> None:
        self.assertEqual(self.heard.words, ["ready"])
        await self.reloading.reload()
        self.assertEqual(self.heard.words, ["ready", "reloading"])
        self.serve()
        self.assertEqual(self.heard.words, ["ready", "reloading", "ready"])

    async def test_workers_that_are_late_with_a_reload_are_named(self) -> None:
        await self.reloading.reload()
        with self.assertLogs(parent.__name__, "ERROR") as logs:
            self.late.clock.advance(parent.SLOW)
        self.assertIn("0, 1", logs.output[0])
        self.assertEqual(self.heard.words[-1], "ready")

    async def test_workers_that_were_late_once_are_not_late_when_they_have_taken_on_the_next(self) -> None:
        await self.reloading.reload()
        self.late.clock.advance(1)
        await self.reloading.reload()
        self.edition += 1
        self.serve()
        told = list(self.heard.words)
        with self.assertNoLogs(parent.__name__, "ERROR"):
            self.late.clock.advance(parent.SLOW)
        self.assertEqual(self.heard.words, told)

    async def test_a_reload_during_the_stop_opens_no_port_again(self) -> None:
        stopped: Deferred[None] = self.parent.stopService()
        with self.assertLogs("sesmail.service.reloading", "ERROR"):
            self.assertFalse(await self.reloading.reload())
        await stopped
        self.assertFalse(answers(self.port))
