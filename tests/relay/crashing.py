"""Kills a process before its n-th file operation, for every n."""

from __future__ import annotations

import fcntl
import itertools
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

_OPERATIONS: tuple[tuple[ModuleType, tuple[str, ...]], ...] = (
    (
        os,
        (
            "open",
            "write",
            "writev",
            "pwrite",
            "pread",
            "preadv",
            "rename",
            "unlink",
            "mkdir",
            "fsync",
            "fdatasync",
            "utime",
            "close",
            "stat",
            "fstat",
            "scandir",
            "ftruncate",
            "link",
            "fchmod",
            "fchown",
        ),
    ),
    (fcntl, ("flock",)),
)
_KILLED = 99

Say = Callable[[str], None]
Scenario = Callable[[Say], None]


@dataclass(frozen=True)
class Crash:
    """A run that ended before its operation `step`, or came to its end. `said` is what it had told others by then."""

    step: int
    finished: bool
    said: tuple[str, ...]


def crashes(scenario: Scenario, prepare: Callable[[], None]) -> Iterator[Crash]:
    """Run it again and again, each time one operation further, until it comes to its end; each time after `prepare`."""
    for step in itertools.count(1):
        prepare()
        crash = _run(scenario, step)
        yield crash
        if crash.finished:
            return


_HARMLESS = frozenset({"open", "close", "stat", "fstat", "pread", "preadv", "scandir", "flock"})


def operations(scenario: Scenario) -> list[str]:
    """The names of the operations of an undisturbed run that change what is on the disk, and what was said between them."""
    names: list[str] = []

    def note(name: str) -> None:
        names.append(name)

    with Watched(note):
        scenario(note)
    return [name for name in names if name not in _HARMLESS]


class Watched:
    """Every operation is told to `note` first, and none waits for the disk."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._real: list[tuple[ModuleType, str, Any]] = []

    def __enter__(self) -> None:
        for module, names in _OPERATIONS:
            for name in names:
                real = getattr(module, name)
                self._real.append((module, name, real))
                setattr(module, name, self._noted(name, real))

    def _noted(self, name: str, real: Any) -> Any:
        def operation(*args: Any, **kwargs: Any) -> Any:
            self._note(name)
            # What survives the death of a process needs no disk.
            return None if name in ("fsync", "fdatasync") else real(*args, **kwargs)

        return operation

    def __exit__(self, *_: object) -> None:
        for module, name, real in self._real:
            setattr(module, name, real)


def _run(scenario: Scenario, step: int) -> Crash:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _be_killed(scenario, step, write)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = tuple(pipe.read().splitlines())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, _KILLED), said
    return Crash(step, status == 0, said)


def _be_killed(scenario: Scenario, step: int, pipe: int) -> None:
    done = 0
    real_write = os.write

    def note(name: str) -> None:
        nonlocal done
        done += 1
        if done == step:
            os._exit(_KILLED)

    def say(line: str) -> None:
        real_write(pipe, f"{line}\n".encode())

    try:
        with Watched(note):
            scenario(say)
        os._exit(0)
    except BaseException:
        say(traceback.format_exc())
        os._exit(1)
