"""Many things looked at together, none of which can hold up the others or the end."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sesmail.cli.doctor.aws import THREADS, trouble
from sesmail.cli.doctor.finding import Finding, unknown

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """One thing to look at. `look` blocks; what it raises is a finding too."""

    about: str
    look: Callable[[], Iterable[Finding]]


def together(looks: Sequence[Look], seconds: float) -> list[Finding]:
    """All findings, in the order of `looks`, after `seconds` at most. Who has not answered by then is UNKNOWN, and left alone."""
    until = time.monotonic() + seconds
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()
    for number in range(len(looks)):
        waiting.put(number)
    for _ in range(min(THREADS, len(looks))):
        # Nothing waits for such threads at the end of the process.
        threading.Thread(target=_work, args=(looks, waiting, done), daemon=True).start()
    found: dict[int, list[Finding]] = {}
    while len(found) < len(looks):
        try:
            number, its = done.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        found[number] = its
    late = [unknown(look.about, f"no answer within {seconds:g} seconds") for look in looks]
    return [one for number in range(len(looks)) for one in found.get(number, [late[number]])]


def _work(looks: Sequence[Look], waiting: queue.SimpleQueue[int], done: queue.SimpleQueue[tuple[int, list[Finding]]]) -> None:
    while True:
        try:
            number = waiting.get_nowait()
        except queue.Empty:
            return
        done.put((number, _found(looks[number])))


def _found(look: Look) -> list[Finding]:
    try:
        return list(look.look())
    except Exception as error:
        _log.debug("%s", look.about, exc_info=True)
        return [trouble(look.about, error)]
