"""A desk and its workers in one process: every call and order goes through the real messages, and nothing waits."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from sesmail.errors import MailError, Unavailable
from sesmail.service.crew import messages
from sesmail.service.crew.desk import Desk, Seat

T = TypeVar("T")


class NearOrders:
    """See orders.Orders. An order waits until `obey` is called."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self._obeyed: dict[str, Callable[..., object]] = {}

    def on(self, name: str, obey: Callable[..., object]) -> None:
        self._obeyed[name] = obey

    def order(self, name: str, arguments: Sequence[object]) -> None:
        self.waiting.append(messages.written([name, arguments]))

    def obey(self) -> None:
        while self.waiting:
            name, arguments = messages.read_order(self.waiting.popleft())
            self._obeyed[name](*arguments)


class NearWorker:
    """One worker: see line.Calls, and orders.Orders as `orders`."""

    def __init__(self, desk: Desk, number: int) -> None:
        self._desk = desk
        self._numbers = itertools.count(1)
        self.orders: Any = NearOrders()
        self.seat = Seat(number, self.orders.order)
        self.deaf = False
        desk.join(self.seat)

    def call(self, name: str, *arguments: object) -> object:
        if self.deaf:
            raise Unavailable(cause="no answer")
        number = next(self._numbers)
        answer, _ = self._desk.answer(self.seat, messages.call(number, name, arguments))
        answered, value = messages.read_answer(answer)
        assert answered == number
        if isinstance(value, MailError):
            raise value
        return value

    def end(self) -> None:
        """Killed: nothing is said any more."""
        self._desk.leave(self.seat)


def driven(coroutine: Coroutine[Any, Any, T], between: Callable[[], None]) -> T:
    """Drive to the end; whenever it waits, call `between`."""
    for _ in range(1000):
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        between()
    raise TimeoutError("it waits for ever")
