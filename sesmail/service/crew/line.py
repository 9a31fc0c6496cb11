"""A worker's line to its parent: calls that wait for their answer, which comes at once or not at all."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from sesmail.errors import MailError, Malformed, Unavailable
from sesmail.service.crew import messages

_log = logging.getLogger(__name__)

# Seconds. The parent does nothing that takes time, so this is the end of a parent that is stuck.
PATIENCE = 5.0


class Calls(Protocol):
    """Asks the parent."""

    def call(self, name: str, *arguments: object) -> object:
        """What the parent answers. Raises the MailError that it answers with, and Unavailable when it does not answer."""


class Line:
    """See Calls. Blocking, about a tenth of a millisecond, at most `patience` seconds; thread-safe, one call at a time.

    `end` is a connected socket of kind SOCK_SEQPACKET, ours from now on. A line that breaks stays broken.
    """

    def __init__(self, end: socket.socket, *, patience: float = PATIENCE, now: Callable[[], float] = time.monotonic) -> None:
        self._end: socket.socket | None = end
        self._patience = patience
        self._now = now
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def call(self, name: str, *arguments: object) -> object:
        """See Calls."""
        value, descriptors = self._answered(name, arguments)
        _close(descriptors)
        return value

    def fetch(self, name: str, *arguments: object) -> list[int]:
        """The descriptors that come with the answer; the caller closes them. Raises as `call`."""
        return self._answered(name, arguments)[1]

    def close(self) -> None:
        """Every later call is Unavailable."""
        with self._lock:
            self._break()

    def _answered(self, name: str, arguments: Sequence[object]) -> tuple[object, list[int]]:
        with self._lock:
            number = next(self._numbers)
            end = self._end
            if end is None:
                raise Unavailable(cause="the line to the parent process is broken")
            question = messages.call(number, name, arguments)
            try:
                end.settimeout(self._patience)
                end.send(question)
                value, descriptors = self._hear(end, number)
            except TimeoutError:
                raise Unavailable(cause=f"the parent process has not answered for {self._patience:g} seconds") from None
            except (OSError, Malformed) as error:
                self._break()
                raise Unavailable(cause=error) from error
        if isinstance(value, MailError):
            _close(descriptors)
            raise value
        return value, descriptors

    def _hear(self, end: socket.socket, number: int) -> tuple[object, list[int]]:
        until = self._now() + self._patience
        while (left := until - self._now()) > 0:
            data, descriptors = _received(end, left)
            try:
                answered, value = messages.read_answer(data)
            except Malformed:
                _close(descriptors)
                raise
            if answered == number:
                return value, descriptors
            # An answer that was too late for its call must not be taken for another's.
            _close(descriptors)
        raise TimeoutError

    def _break(self) -> None:
        if self._end is not None:
            _log.error("the line to the parent process is broken")
            self._end.close()
            self._end = None


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _received(end: socket.socket, seconds: float) -> tuple[bytes, list[int]]:
    end.settimeout(seconds)
    data, descriptors, _, _ = socket.recv_fds(end, messages.LONGEST, messages.MOST_DESCRIPTORS)
    if not data:
        _close(descriptors)
        raise ConnectionResetError("the parent process is gone")
    return data, descriptors
