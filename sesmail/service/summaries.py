"""Figures of a mailbox for its owner, counted without holding it."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sesmail.config.listeners import Listener
from sesmail.config.table import Config
from sesmail.interfaces import Account, Place
from sesmail.storage.maildrop import Figures
from sesmail.web.once import UnderWay

# A mailbox is listed whole to be counted, which costs a request for every thousand messages.
BELIEVED = 10.0
KEPT = 1000

_TCP = re.compile(r"tcp6?:(?:port=)?(\d+)")
# Behind a proxy, or on a socket that somebody else has opened, the port is not ours to say.
_USUAL = {("POP3", "implicit"): 995, ("POP3", "starttls"): 110, ("SMTP", "implicit"): 465, ("SMTP", "starttls"): 587}


class Summaries:
    """`count(place)` gives figures and raises Unavailable; they are believed for some seconds. `now` is a clock in seconds. `settings`
    are what mail programs are to be told."""

    def __init__(
        self,
        count: Callable[[Place | None], Awaitable[Figures]],
        now: Callable[[], float],
        settings: Sequence[Mapping[str, object]],
    ) -> None:
        self._count = count
        self._now = now
        self._settings = list(settings)
        self._under_way = UnderWay()
        self._kept: OrderedDict[Place | None, tuple[float, Figures]] = OrderedDict()

    async def of(self, account: Account) -> Mapping[str, object]:
        """`messages`, `octets`, and `settings` for mail programs. Raises Unavailable and Limited."""
        place = account.place
        self._forget()
        if place not in self._kept:
            await self._under_way.do(place, lambda: self._look(place))
        _, figures = self._kept[place]
        return {"messages": figures.messages, "octets": figures.octets, "settings": self._settings}

    async def _look(self, place: Place | None) -> None:
        figures = await self._count(place)
        self._kept[place] = self._now(), figures
        self._forget()

    def _forget(self) -> None:
        """What is too old, or too much. Places may hold keys, which are not kept for longer than they are of use."""
        now = self._now()
        while self._kept:
            at, _ = next(iter(self._kept.values()))
            if len(self._kept) <= KEPT and 0 <= now - at < BELIEVED:
                break
            self._kept.popitem(last=False)


def settings(config: Config) -> list[Mapping[str, object]]:
    """What a mail program must know of every port of this gateway; `host` is None where the configuration names none."""
    return [
        {"protocol": protocol, "host": config.submission.hostname or None, "port": port, "tls": one.tls}
        for protocol, listeners in (("POP3", config.pop3.listeners), ("SMTP", config.submission.listeners))
        for one in listeners
        if (port := _port(one, protocol)) is not None
    ]


def _port(listener: Listener, protocol: str) -> int | None:
    found = _TCP.match(listener.endpoint)
    if found or listener.endpoint.startswith("unix:"):
        return int(found[1]) if found else None
    return _USUAL.get((protocol, listener.tls))
