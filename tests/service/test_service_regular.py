"""Work that is done again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from sesmail.errors import Unavailable
from sesmail.service.regular import AGAIN, Regular


class AtOnce:
    """Workers that have done it before they are left."""

    async def run(self, function: Callable[[], Any]) -> Any:
        return function()


class Work:
    """Notes when it is called, and fails as it is told."""

    def __init__(self, *errors: Exception, first: float = 0, every: float = 1000) -> None:
        self.clock = Clock()
        self.at: list[float] = []
        self._errors = list(errors)
        self.regular = Regular("work", self.call, AtOnce(), self.clock, first=first, every=every)  # type: ignore[arg-type]
        self.regular.startService()

    def call(self) -> None:
        self.at.append(self.clock.seconds())
        if self._errors:
            raise self._errors.pop(0)

    def until(self, seconds: float) -> list[float]:
        self.clock.advance(0)
        while self.clock.seconds() < seconds:
            self.clock.advance(10)
        return self.at


def test_it_is_done_at_first_and_then_again_and_again() -> None:
    assert Work(first=500).until(2600) == [500, 1500, 2500]


@pytest.mark.parametrize("error", [Unavailable(), KeyError("bug")])
def test_it_goes_on_after_a_failure_and_earlier_than_it_would(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    assert Work(error).until(1400) == [0, AGAIN, AGAIN + 1000]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_is_done_often_is_not_put_off_by_a_failure() -> None:
    assert Work(Unavailable(), every=100).until(200) == [0, 100, 200]


def test_it_ends_with_the_service() -> None:
    work = Work()
    work.until(1000)
    work.regular.stopService()
    assert work.until(5000) == [0, 1000]
