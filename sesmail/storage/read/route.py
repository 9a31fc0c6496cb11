"""Where signed requests go, and with which credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from twisted.internet.interfaces import IReactorTime

from sesmail.aws.sessions import Address
from sesmail.aws.sigv4 import Signer
from sesmail.interfaces import Keys
from sesmail.storage.read.transport import Transport

Run = Callable[..., Awaitable[Any]]

_KEYS_FOR = 60.0


@dataclass(frozen=True)
class Route:
    """An address, what signs for it, and what leads there."""

    address: Address
    signer: Signer
    transport: Transport

    @cached_property
    def host(self) -> str:
        """As it stands in the header of that name."""
        default = 443 if self.address.secure else 80
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        return host if self.address.port == default else f"{host}:{self.address.port}"


class CurrentKeys:
    """Credentials, got by `keys` in a worker, and anew each minute: that refreshes them well before they run out."""

    def __init__(self, keys: Callable[[], Keys], run: Run, clock: IReactorTime) -> None:
        self._keys = keys
        self._run = run
        self._clock = clock
        self._kept: tuple[float, Keys] | None = None

    async def now(self) -> Keys:
        """Raises Unavailable where there are none."""
        if self._kept is None or self._clock.seconds() - self._kept[0] > _KEYS_FOR:
            self._kept = (self._clock.seconds(), await self._run(self._keys))
        return self._kept[1]

    def forget(self) -> None:
        """They were refused."""
        self._kept = None
