"""What the parent tells its workers without being asked."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any

from sesmail.errors import Malformed
from sesmail.service.crew import messages
from sesmail.service.crew.channel import Channel

_log = logging.getLogger(__name__)

Obey = Callable[..., object]


class Orders:
    """A worker's end: calls what `on` was given. `lost` is called once when the parent is gone."""

    def __init__(self, reactor: Any, end: socket.socket, lost: Callable[[], None]) -> None:
        self._obeyed: dict[str, Obey] = {}
        self._channel = Channel(reactor, end, self._received, lost)

    def on(self, name: str, obey: Obey) -> None:
        """Call `obey` with the arguments of each order of that name."""
        self._obeyed[name] = obey

    def close(self) -> None:
        """Hear no more. Calls `lost` if it was not called yet."""
        self._channel.close()

    def _received(self, message: bytes) -> None:
        try:
            name, arguments = messages.read_order(message)
            self._obeyed[name](*arguments)
        except (Malformed, KeyError) as error:
            _log.error("the parent process orders what nobody understands: %s", error)
        except Exception:
            _log.exception("an order of the parent process failed by an error of ours")


class Ordering:
    """The parent's end of a worker's orders. `lost` is called once when the worker is gone, or does not read them."""

    def __init__(self, reactor: Any, end: socket.socket, lost: Callable[[], None]) -> None:
        self._channel = Channel(reactor, end, self._received, lost)

    def __call__(self, name: str, arguments: Sequence[object]) -> None:
        """Tell the worker, in order."""
        self._channel.send(messages.written([name, arguments]))

    def close(self) -> None:
        """Tell no more. Calls `lost` if it was not called yet."""
        self._channel.close()

    def _received(self, message: bytes) -> None:
        # Nothing is to come this way.
        _log.error("a worker speaks where it has to listen, its line is cut")
        self._channel.close()
