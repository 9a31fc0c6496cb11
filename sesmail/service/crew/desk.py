"""The parent's desk: answers the calls of its workers, each within a fraction of a millisecond, and remembers who has what."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from sesmail.errors import MailError, Malformed, Unavailable
from sesmail.service.crew import messages
from sesmail.service.crew.channel import Channel

_log = logging.getLogger(__name__)

_LARGEST = 2**53
# Characters: the key of an object has at most a third of that.
LONGEST_NAME = 4096


@dataclass(eq=False)
class Seat:
    """One running worker, as the desk knows it. `order` tells it something; to one who has left, nothing is told."""

    number: int
    order: Callable[[str, Sequence[object]], None] = field(repr=False)


@dataclass(frozen=True)
class Handed:
    """An answer that comes with descriptors, of which the worker gets copies."""

    value: object
    descriptors: Sequence[int]


SeatCalls: TypeAlias = dict[str, tuple[Callable[..., object], tuple[type, ...]]]
"""Functions by the names of calls, each with the kinds of its arguments; before them it is given the Seat of who asks."""


class Service(Protocol):
    """Something of which there is one for all workers. It never blocks.

    Its functions raise the errors of sesmail.errors.
    """

    calls: SeatCalls

    def gone(self, seat: Seat) -> None:
        """The worker has ended: all that it had is free."""


class Desk:
    """Answers by what its services say. The workers are our own, but speak with strangers: nothing they say is believed."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = list(services)
        self._calls = {name: call for service in services for name, call in service.calls.items()}
        self.seats: set[Seat] = set()

    def offer(self, name: str, kinds: tuple[type, ...], function: Callable[..., object]) -> None:
        """One more call; see Service."""
        self._calls[name] = function, kinds

    def join(self, seat: Seat) -> None:
        """A worker has begun."""
        self.seats.add(seat)

    def leave(self, seat: Seat) -> None:
        """A worker has ended. May be called more than once."""
        if seat in self.seats:
            self.seats.remove(seat)
            for service in self._services:
                service.gone(seat)

    def answer(self, seat: Seat, message: bytes) -> tuple[bytes, Sequence[int]]:
        """The answer to one message, and the descriptors that go with it. Raises Malformed when there can be none."""
        number, name, arguments = messages.read_call(message)
        try:
            value = self._value(seat, name, arguments)
            if isinstance(value, Handed):
                return messages.written([number, "", value.value]), value.descriptors
            return messages.written([number, "", value]), ()
        except MailError as error:
            return messages.failure(number, error), ()
        except Exception:
            _log.exception("worker %d has no answer to its call %.40r", seat.number, name)
            return messages.failure(number, Unavailable()), ()

    def _value(self, seat: Seat, name: str, arguments: Sequence[Any]) -> object:
        if seat not in self.seats:
            raise Unavailable(cause="the worker has left")
        function, kinds = self._calls.get(name, (None, ()))
        if function is None:
            raise Malformed("there is no such call")
        if len(arguments) != len(kinds) or not all(map(_is, arguments, kinds)):
            raise Malformed("the arguments are wrong")
        return function(seat, *arguments)


def short(*names: str) -> None:
    """Raises Malformed for a name that nobody has: what is kept of names must not grow without bound."""
    if any(len(name) > LONGEST_NAME for name in names):
        raise Malformed("a name is too long")


def _is(argument: object, kind: type) -> bool:
    if isinstance(argument, bool):
        return kind is bool
    if isinstance(argument, int | float):
        # 1e400 is infinite, and a number of a thousand digits is JSON too.
        return (kind is float or isinstance(argument, kind)) and -_LARGEST <= argument <= _LARGEST
    return isinstance(argument, kind)


def serve(desk: Desk, seat: Seat, reactor: Any, end: Any, lost: Callable[[], None]) -> Channel:
    """Answer what comes over this end of a worker's line, until the worker ends, says what is no call, or `leave` is called."""

    def received(message: bytes) -> None:
        try:
            answer, descriptors = desk.answer(seat, message)
        except Malformed as error:
            _log.error("worker %d says what nobody understands, its line is cut: %s", seat.number, error)
            channel.close()
            return
        if descriptors:
            channel.hand(answer, descriptors)
        else:
            channel.send(answer)

    channel = Channel(reactor, end, received, lost)
    return channel
