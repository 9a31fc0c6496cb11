"""A worker's place as the parent keeps it, with small programs in it instead of workers."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from sesmail.service.crew import member
from sesmail.service.crew.desk import Desk, Seat
from sesmail.service.crew.member import Member
from tests.service.tls import reactor

# Tells what it was started with, then waits for the end of its orders.
TELLS = """
import json, os, sys
fds = sorted(int(one) for one in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{one}"))
with open(sys.argv[1], "w") as file:
    json.dump({"number": sys.argv[2], "fds": fds, "environment": dict(os.environ), "path": sys.path}, file)
os.rename(sys.argv[1], sys.argv[1] + ".json")
os.read(4, 1000)
"""


class Holding:
    """See desk.Service: remembers who is gone."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.calls: dict[str, Any] = {}

    def gone(self, seat: Seat) -> None:
        self.left.append(seat.number)


class Late:
    """Starts processes at once and everything else when its clock says so."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.callLater, self.seconds = self.clock.callLater, self.clock.seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class MemberTest(TestCase):
    def setUp(self) -> None:
        self.holding = Holding()
        self.late = Late()
        self.path = Path(tempfile.mkdtemp()) / "told"

    def member(self, program: str, *arguments: str) -> Member:
        run = [sys.executable, "-c", program, *arguments]
        made = Member(7, self.late, Desk([self.holding]), run, changed=lambda: None)
        self.addCleanup(self.ended, made)
        return made

    async def ended(self, made: Member) -> None:
        made.leave()
        made.kill()
        await made.over

    async def until(self, true: Any) -> None:
        for _ in range(1000):
            if true():
                return
            await deferLater(reactor, 0.02)
        self.fail("it took too long")

    async def told(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found.extend(_read(Path(f"{self.path}.json")))
            return bool(found)

        await self.until(is_there)
        return found[0]

    async def test_a_worker_has_its_number_its_line_its_orders_and_nothing_of_the_parents(self) -> None:
        mine = {"NOTIFY_SOCKET": "/run/notify", "LISTEN_FDS": "1", "SESMAIL__LOG__LEVEL": "debug"}
        inherited = os.dup(0)
        self.addCleanup(os.close, inherited)
        os.set_inheritable(inherited, True)
        with patch.dict(os.environ, mine):
            self.member(TELLS, str(self.path)).begin()
            told = await self.told()
        self.assertEqual((told["number"], told["fds"]), ("7", [0, 1, 2, 3, 4]))
        self.assertEqual(told["environment"]["SESMAIL__LOG__LEVEL"], "debug")
        self.assertNotIn("NOTIFY_SOCKET", told["environment"])
        self.assertNotIn("LISTEN_FDS", told["environment"])
        self.assertLessEqual({one for one in sys.path if one}, set(told["path"]))

    async def test_a_worker_that_is_killed_leaves_the_desk_and_begins_again_at_once(self) -> None:
        worker = self.member(TELLS, str(self.path))
        worker.begin()
        await self.told()
        with self.assertLogs(member.__name__, "ERROR") as logs:
            worker.kill()
            await self.until(lambda: self.holding.left)
        self.assertIn("worker 7 was ended by signal 9", logs.output[0])
        self.late.clock.advance(0)
        await self.told()

    async def test_a_worker_that_does_not_live_waits_longer_each_time_but_not_for_ever(self) -> None:
        worker = self.member("raise SystemExit(3)")
        worker.begin()
        waits = []
        for count in range(1, 10):
            await self.until(lambda count=count: len(self.holding.left) == count)
            (call,) = self.late.clock.getDelayedCalls()
            waits.append(call.getTime() - self.late.seconds())
            self.late.clock.advance(waits[-1])
        self.assertEqual(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60])

    async def test_a_worker_that_lived_for_a_while_begins_again_at_once(self) -> None:
        worker = self.member(TELLS, str(self.path))
        worker.begin()
        for _ in range(2):
            await self.told()
            self.late.clock.advance(member.STEADY)
            worker.kill()
            await self.until(self.late.clock.getDelayedCalls)
            (call,) = self.late.clock.getDelayedCalls()
            self.assertEqual(call.getTime(), self.late.seconds())
            self.late.clock.advance(0)

    async def test_a_worker_that_was_told_to_leave_does_not_begin_again(self) -> None:
        worker = self.member(TELLS, str(self.path))
        worker.begin()
        await self.told()
        worker.leave()
        await worker.over
        self.assertEqual(self.late.clock.getDelayedCalls(), [])
        self.assertEqual(self.holding.left, [7])

    async def test_a_worker_that_waits_to_begin_again_can_be_told_to_leave(self) -> None:
        worker = self.member("raise SystemExit(3)")
        worker.begin()
        await self.until(self.late.clock.getDelayedCalls)
        worker.leave()
        self.assertIsNone(self.successResultOf(_copy(worker.over)))
        self.assertEqual(self.late.clock.getDelayedCalls(), [])

    async def test_a_worker_that_cannot_be_started_is_tried_again(self) -> None:
        worker = self.member(TELLS, str(self.path))
        with patch.object(self.late, "spawnProcess", side_effect=OSError(12, "Cannot allocate memory"), create=True):
            worker.begin()
        self.late.clock.advance(0)
        await self.told()


def _copy(over: Deferred[None]) -> Deferred[None]:
    copy: Deferred[None] = Deferred()
    over.addCallback(copy.callback)
    return copy


def _read(file: Path) -> list[dict[str, Any]]:
    """What is told there, once."""
    if not file.exists():
        return []
    found = json.loads(file.read_text())
    file.unlink()
    return [found]
