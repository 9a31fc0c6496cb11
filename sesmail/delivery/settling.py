"""What becomes of messages of a queue when their work has ended: deleted, or given back for a while, ten in one request."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from sesmail.aws.queues import QueueTrouble, Received
from sesmail.delivery.tray import DELETE, Task, Tray
from sesmail.delivery.trouble import Trouble

_log = logging.getLogger(__name__)

# The last try comes two minutes after the first one.
_TRIES = 8
# It will not be otherwise at another try.
_FINAL = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})


class Messages(Protocol):
    """See `aws.queues.Queue`."""

    def receive(self, *, visibility: int, most: int, wait: int) -> list[Received]: ...
    def delete(self, messages: Sequence[Received]) -> Mapping[str, str]: ...
    def keep(self, messages: Mapping[Received, int]) -> Mapping[str, str]: ...


class Settling:
    """Carries out what the tray's tasks are to end with. What comes while a request is under way goes together in the next one."""

    def __init__(self, queue: Messages, tray: Tray) -> None:
        self._queue = queue
        self._tray = tray
        self._trouble = Trouble(_log, "messages of the queue cannot be deleted or given back")

    def run(self) -> None:
        """Until the tray is over."""
        while tasks := self._tray.to_settle():
            left: dict[str, str] | None = None
            try:
                left = self._asked(tasks)
            finally:
                if left is None:
                    self._again(tasks, "unexpected")
            for task in tasks:
                if task.message.receipt in left:
                    self._again([task], left[task.message.receipt])
                else:
                    self._tray.settled([task])

    def _asked(self, tasks: Sequence[Task]) -> dict[str, str]:
        """What remains, and why."""
        try:
            left = dict(self._request(tasks))
        except QueueTrouble as error:
            self._trouble.failed(error)
            return {task.message.receipt: error.word for task in tasks}
        self._trouble.worked()
        return left

    def _request(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        if tasks[0].after == DELETE:
            return self._queue.delete([task.message for task in tasks])
        return self._queue.keep({task.message: task.after or 0 for task in tasks})

    def _again(self, tasks: Sequence[Task], reason: str) -> None:
        for task in tasks:
            task.tries += 1
            if task.after != DELETE:
                # It comes by itself, if later.
                self._tray.settled([task])
            elif reason in _FINAL or task.tries >= _TRIES or self._tray.over:
                _log.warning("message %s is done and cannot be deleted, it will come again: %s", task.message.id, reason)
                self._tray.settled([task])
            else:
                self._tray.put_off([task], 2.0 ** (task.tries - 1))
