"""One thread at a message, and a memory that has an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesmail.delivery import claims, progress
from sesmail.delivery.claims import Claims, Served
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.progress import Progress
from sesmail.errors import Busy
from tests.delivery.sorting import directory


def failing(held: Claims, id: str) -> None:
    with held.of(id):
        raise KeyError


def test_a_claim_ends_whatever_happens_in_it() -> None:
    held = Claims()
    with held.of("a") as again:
        assert not again
        with pytest.raises(Busy):
            failing(held, "a")
    with pytest.raises(KeyError):
        failing(held, "a")
    with held.of("a") as again, held.of("b"):
        assert again
    with held.of("a") as again:
        assert not again


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST", 2)
    held, served = Claims(), Served()
    for id in ("a", "b", "c"):
        served.add(id, ["x"])
        with pytest.raises(KeyError):
            failing(held, id)
    for id, known in (("a", False), ("b", True), ("c", True)):
        assert served.missing(id, ["y"]) == (["y"] if known else [])
        with held.of(id) as again:
            assert again is known


def test_a_record_of_progress_has_an_end_and_can_always_be_read(tmp_path: Path) -> None:
    records = Progress(Inbox(directory(tmp_path / "store"), "inbox"))
    names = [f"mailbox-{number:032x}" for number in range(progress.MOST + 5)]
    records.write("a", names)
    assert records.done("a") == set(names[: progress.MOST])
    records.forget("a")
    assert records.done("a") == set()
