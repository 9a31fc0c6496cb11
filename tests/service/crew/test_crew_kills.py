"""Workers are killed while mail is submitted: the others go on, whatever got a 250 goes out or returns, and nothing recorded goes twice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.submissions import SES_TAKES, World, arrange, found
from tests.servers import gateway, ses
from tests.service.crew.crews import children

WORKERS = 2


class Crewed(World):
    """One gateway whose workers are killed one by one."""

    log = ""

    def _configured(self) -> dict[str, Any]:
        made = super()._configured()
        return {**made, "service": {**made["service"], "workers": WORKERS}}

    def _kill_until(self, over: threading.Event, chance: random.Random) -> None:
        with gateway.running(self._config) as running:
            while not over.is_set():
                until = self._begun + chance.randint(5, 20)
                while self._begun < until and not over.wait(0.002):
                    pass
                over.wait(chance.uniform(0, 2 * SES_TAKES))
                self._kill_one(children(running.pid), chance)
            running.stop()
            self.log = running.log()

    def _kill_one(self, workers: list[int], chance: random.Random) -> None:
        if workers:
            self.kills.append(time.monotonic())
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)


def kills(folder: Path, count: int, seed: int) -> str:
    """Submit so many messages, kill workers meanwhile, check everything. Returns what happened, in words."""
    with ses.running_apart() as running:
        arrange(running, count)
        world = Crewed(folder, running)
        submitted = world.submit(count, random.Random(seed))
        log = world.log + world.settle()
        seen = found(world)
        seen.check(submitted)
        doubles = seen.duplicates(running.requests(), world.kills)
        heard = Counter(one.code for one in submitted)
    assert "Traceback" not in log
    assert len(world.kills) > count // 25
    assert heard[250] > count // 4
    return f"{count} submissions, {len(world.kills)} workers killed: {heard[250]} heard 250, {doubles} were sent twice"


@pytest.mark.limit(300)
def test_some_killed_workers_lose_no_submission(tmp_path: Path) -> None:
    kills(tmp_path, 40, seed=3)


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_many_killed_workers_lose_no_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = kills(tmp_path, 500, seed=4)
    with capsys.disabled():
        print(f"\n{said}")
