"""What submission asks about people here: the answers of routing and of the map, found out in workers."""

from __future__ import annotations

from sesmail.assembly.senders import Senders
from sesmail.delivery.local import refusal
from sesmail.delivery.routing import Routing
from sesmail.service.workers import Workers


class People:
    """`routing` knows whose mail can be taken, `senders` who may send as what."""

    def __init__(self, routing: Routing, senders: Senders, workers: Workers) -> None:
        self._routing = routing
        self._senders = senders
        self._workers = workers

    async def accepts(self, address: str) -> bool:
        """Whether mail for it leads anywhere. Raises Unavailable."""
        plan = await self._workers.run(self._routing.plan, "", (address,))
        return any(refusal(step.destination) is None for step in plan.steps)

    async def may_send_as(self, account: str, address: str) -> bool:
        """Whether the account may send as the address, which is not its own. Raises Unavailable."""
        return await self._workers.run(self._senders.may_send_as, account, address)
