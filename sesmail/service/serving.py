"""What listens, and what it serves: doors that may be opened and closed while the service runs."""

from __future__ import annotations

from typing import Protocol

from twisted.application.service import MultiService

from sesmail.service.listeners import Listener


class Served(Protocol):
    """What a listener serves: a factory that can end what it has begun."""

    @property
    def open(self) -> int: ...

    async def drain(self, seconds: float) -> None: ...


class Serving(MultiService):
    """Its listeners, and all factories that have sessions or may have some yet."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: list[Listener] = []
        self.factories: list[Served] = []
        self.stopping = False
        """Whether nobody new is to be let in any more, though sessions may still go on."""
        self._serving: dict[Listener, Served] = {}

    def listen(self, listener: Listener, factory: Served) -> None:
        """Serve `factory` on `listener` while the service runs."""
        listener.setServiceParent(self)
        self.listeners.append(listener)
        self.factories.append(factory)
        self._serving[listener] = factory

    def close(self, listener: Listener) -> None:
        """Take no more connections there. Its sessions go on, and are ended with the others when the service stops."""
        listener.disownServiceParent()
        self.listeners.remove(listener)
        del self._serving[listener]
        self.factories = [one for one in self.factories if one.open or one in self._serving.values()]
