"""kill -9 while mail comes in, its events repeated and in any order: everybody gets every message, and twice only for a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import arrivals


def kills(folder: Path, count: int, seed: int, most: int) -> str:
    """So many messages; check everything. Returns what happened, in words."""
    with arrivals.world(folder) as world:
        mails = arrivals.live(world, count, seed, most)
        world.settle()
        doubles = arrivals.check(world, mails)
        arrivals.check_is_tidy(world)
        log = "\n".join(world.logs)
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:6000]
        assert len(world.kills) >= min(most, count // 30)
        return f"{count} messages, {sum(len(mail.recipients) for mail in mails)} recipients, {len(world.kills)} kills; came twice: {doubles}"


@pytest.mark.limit(400)
def test_some_kills_lose_no_arrival(tmp_path: Path) -> None:
    kills(tmp_path, 60, seed=1, most=8)


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_many_kills_lose_no_arrival(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = kills(tmp_path, 1000, seed=2, most=60)
    with capsys.disabled():
        print(f"\n{said}")
