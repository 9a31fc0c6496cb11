"""kill -9 while mail is submitted: whatever got a 250 goes out or returns, and nothing goes twice that had been recorded."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.submissions import World, arrange, found
from tests.servers import ses


def kills(folder: Path, count: int, seed: int) -> str:
    """Submit so many messages, kill meanwhile, check everything. Returns what happened, in words."""
    with ses.running_apart() as running:
        arrange(running, count)
        world = World(folder, running)
        submitted = world.submit(count, random.Random(seed))
        log = world.settle()
        seen = found(world)
        seen.check(submitted)
        doubles = seen.duplicates(running.requests(), world.kills)
        heard = Counter(str(one.code) for one in submitted)
        assert "Traceback" not in log
        assert len(world.kills) > count // 40
        return (
            f"{count} submissions, {len(world.kills)} kills: {heard['250']} heard 250, {heard['None']} heard nothing, the others were "
            f"refused; {doubles} were sent twice, each cut off between the request and the record of its answer"
        )


@pytest.mark.limit(300)
def test_some_kills_lose_no_submission(tmp_path: Path) -> None:
    kills(tmp_path, 60, seed=1)


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_many_kills_lose_no_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = kills(tmp_path, 500, seed=2)
    with capsys.disabled():
        print(f"\n{said}")
