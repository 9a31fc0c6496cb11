"""The configuration that the parent hands to its workers, and what they tell it of themselves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sesmail import counters
from sesmail.config.load import load
from sesmail.errors import Malformed, Unavailable
from sesmail.service.crew.desk import Desk, Seat
from sesmail.service.crew.given import Given, given
from sesmail.service.crew.member import Member
from sesmail.service.crew.watch import BEGINS, Watch


class Line:
    """Asks the parent's side without a process between."""

    def __init__(self, calls: dict[str, Any]) -> None:
        self._calls = calls

    def fetch(self, name: str, *arguments: object) -> list[int]:
        handed: Any = self._calls[name][0](Seat(0, lambda *_: None), *arguments)
        return [os.dup(descriptor) for descriptor in handed.descriptors]


def written(folder: Path, text: str) -> str:
    file = folder / "sesmail.yaml"
    file.write_text(text)
    file.chmod(0o600)
    return str(file)


def test_every_worker_gets_the_whole_configuration_as_often_as_it_asks(tmp_path: Path) -> None:
    text = "auth: {jwt_secret: 0123456789abcdef0123456789abcdef, users: [{name: tom, password: geheim, prefix: tom/}]}"
    config = load(written(tmp_path, text), {})
    line: Any = Line(Given(config).calls)
    for _ in range(3):
        assert given(line) == (1, replace(config, warnings=()))


def test_a_configuration_may_be_large(tmp_path: Path) -> None:
    users = "\n".join(f"    - {{name: user{number}, password: geheim, prefix: user{number}/}}" for number in range(3000))
    config = load(written(tmp_path, f"auth:\n  users:\n{users}\n"), {})
    line: Any = Line(Given(config).calls)
    assert given(line)[1].auth.users == config.auth.users


def test_what_is_given_later_is_another_edition(tmp_path: Path) -> None:
    giver = Given(load(written(tmp_path, ""), {}))
    line: Any = Line(giver.calls)
    giver.give(load(written(tmp_path, "service: {drain: 7}"), {}))
    edition, config = given(line)
    assert (edition, config.service.drain) == (2, 7)


def test_no_worker_can_change_what_the_others_get(tmp_path: Path) -> None:
    giver = Given(load(written(tmp_path, ""), {}))
    line: Any = Line(giver.calls)
    (memory,) = line.fetch("config")
    for change in (lambda: os.pwrite(memory, b"x", 0), lambda: os.truncate(memory, 0)):
        with pytest.raises(PermissionError):
            change()
    os.close(memory)


def test_after_the_end_nothing_is_given(tmp_path: Path) -> None:
    giver = Given(load(written(tmp_path, ""), {}))
    line: Any = Line(giver.calls)
    giver.close()
    with pytest.raises(Unavailable):
        given(line)


class Crew:
    """Two workers without processes, and what was done to them."""

    def __init__(self, patience: int = 3) -> None:
        self.members = [Member(number, None, Desk([]), [], changed=lambda: None) for number in range(2)]
        self.seats = [Seat(number, lambda *_: None) for number in range(2)]
        self.killed: list[int] = []
        self.changes = 0
        for member, seat in zip(self.members, self.seats, strict=True):
            member.seat = seat
            member.kill = lambda number=member.number: self.killed.append(number)  # type: ignore[method-assign, misc]
        self.watch = Watch(self.members, patience, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def call(self, name: str, number: int, *arguments: object) -> None:
        self.watch.calls[name][0](self.seats[number], *arguments)

    def look(self, times: int) -> None:
        for _ in range(times):
            self.watch.look()


def test_a_worker_that_serves_and_is_silent_is_killed_and_no_other() -> None:
    crew = Crew()
    crew.call("serving", 0, 1)
    crew.call("serving", 1, 1)
    for _ in range(4):
        crew.call("beat", 0, {})
        crew.look(1)
    assert crew.killed == [1]
    crew.watch.stop()


def test_a_worker_that_begins_has_more_time() -> None:
    crew = Crew()
    crew.look(BEGINS)
    assert crew.killed == []
    crew.look(1)
    assert crew.killed == [0, 1]
    crew.watch.stop()


def test_it_is_not_ready_while_no_worker_serves() -> None:
    crew = Crew()
    with pytest.raises(Unavailable):
        crew.watch.ask()
    crew.call("serving", 1, 1)
    crew.watch.ask()
    crew.watch.stop()


def test_what_a_worker_serves_by_is_told_once_for_each_edition() -> None:
    crew = Crew()
    for edition in (1, 1, 2):
        crew.call("serving", 0, edition)
    assert crew.changes == 2
    assert [member.edition for member in crew.members] == [2, 0]
    crew.watch.stop()


def test_a_worker_that_was_replaced_is_not_taken_for_its_successor() -> None:
    crew = Crew()
    crew.members[0].seat = Seat(0, lambda *_: None)
    with pytest.raises(Malformed):
        crew.call("beat", 0, {})
    crew.watch.stop()


def test_what_ended_workers_have_counted_stays_in_the_sum() -> None:
    counter = counters.Counter("sesmail_crew_test_total", "Of a test.")
    gauge = counters.Gauge("sesmail_crew_test", "Of a test.")
    stop = gauge.read(lambda: 5)
    crew = Crew()
    counter.add(by=2)
    for number in range(2):
        crew.call("beat", number, counters.snapshot())
    crew.watch.gone(crew.seats[0])
    stop()
    counter.forget()
    gauge.forget()
    merged = counters.merged(crew.watch.snapshots())
    assert merged["sesmail_crew_test_total"]["values"] == [[[], 4]]
    assert merged["sesmail_crew_test"]["values"] == [[[], 5]]
    crew.watch.stop()
