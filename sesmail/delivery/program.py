"""Runs a program on a message: bounded in time and in what is kept of its output, whatever the program does or leaves undone."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

log = logging.getLogger(__name__)

OUTPUT_OCTETS = 16 * 1024
"""What is kept of a program's output; the rest is read and forgotten, so that a talkative one does not stand still."""

_PIECE = 65536
# How long a program has to die when it was killed: one that waits for a broken disk does not.
_DYING = 10.0


@dataclass(frozen=True)
class Ended:
    """How a program ended: `status` as `subprocess` has it (negative: by that signal), None when its time was up. `output` is the
    beginning of what it wrote, to either of its outputs."""

    status: int | None
    output: bytes


def run(
    command: Sequence[str],
    message: Iterator[bytes],
    environment: Mapping[str, str],
    *,
    timeout: float,
    grace: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
) -> Ended:
    """Run `command` with this environment alone, in ``/``, `message` on its standard input, and wait for its end.

    It need not read all of the message. It has no other descriptor of ours, and is the head of a process group of its own. After
    `timeout` seconds the whole group is told to end, and `grace` seconds later killed. What a program leaves in the background lives on
    when the program itself has ended in time. Raises OSError when it cannot be started, and what `message` raises; then the group was
    killed, and the program has not seen the end of its input.
    """
    process = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd="/",
        umask=0o077,
        start_new_session=True,
        bufsize=0,
    )
    in_time = False
    with contextlib.ExitStack() as stack:
        stack.callback(_reap, process)
        try:
            running = _Running(process, message, clock, stack)
            in_time = running.until(clock() + timeout)
            if not in_time:
                _signal(process, signal.SIGTERM)
                running.until(clock() + grace)
        finally:
            if not in_time:
                # Also where it has ended meanwhile: its children may live on.
                _signal(process, signal.SIGKILL)
    return Ended(process.returncode if in_time else None, bytes(running.output))


class _Running:
    """Feeds a program and hears it, until it ends: which is when it ends, not when its outputs are closed, for others may have them."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        message: Iterator[bytes],
        clock: Callable[[], float],
        stack: contextlib.ExitStack,
    ) -> None:
        self.output = bytearray()
        self._message = message
        self._left = memoryview(b"")
        self._clock = clock
        self._input = stack.enter_context(cast(IO[bytes], process.stdin))
        self._heard = stack.enter_context(cast(IO[bytes], process.stdout))
        self._end = os.pidfd_open(process.pid)
        stack.callback(os.close, self._end)
        for pipe in (self._input, self._heard):
            os.set_blocking(pipe.fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._input, select.POLLOUT)
        self._poll.register(self._heard, select.POLLIN)
        self._poll.register(self._end, select.POLLIN)
        self._turns = {self._input.fileno(): self._feed, self._heard.fileno(): self._hear}

    def until(self, by: float) -> bool:
        """Whether it has ended by then; what it wrote before its end is heard."""
        while (left := by - self._clock()) > 0:
            ready = [fd for fd, _ in self._poll.poll(left * 1000)]
            for fd in ready:
                if fd in self._turns:
                    self._turns[fd]()
            if self._end in ready:
                self._hear_all(by)
                return True
        return False

    def _feed(self) -> None:
        try:
            while not self._left:
                self._left = memoryview(next(self._message))
            self._left = self._left[os.write(self._input.fileno(), self._left[:_PIECE]) :]
        except BlockingIOError:
            return
        except (StopIteration, BrokenPipeError):
            # Many programs read no more than they need.
            self._forget(self._input.fileno())
            self._input.close()

    def _hear(self) -> bool:
        try:
            piece = os.read(self._heard.fileno(), _PIECE)
        except BlockingIOError:
            return False
        if not piece:
            self._forget(self._heard.fileno())
        self.output += piece[: OUTPUT_OCTETS - len(self.output)]
        return bool(piece)

    def _hear_all(self, by: float) -> None:
        # What it left in the background may write for ever.
        while len(self.output) < OUTPUT_OCTETS and self._clock() < by and self._hear():
            pass

    def _forget(self, fd: int) -> None:
        if self._turns.pop(fd, None) is not None:
            self._poll.unregister(fd)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # It leads its group and is not reaped yet: the number is nobody else's.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_DYING)
    except subprocess.TimeoutExpired:
        log.error("process %d was killed and does not die", process.pid)
