"""The LMTP server's mail: taken piece by piece on the reactor, checked, kept and delivered in workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from sesmail.assembly.deposits import deposits
from sesmail.assembly.stores import blocking_stores, clients
from sesmail.config.table import Config
from sesmail.delivery.plan import Plan
from sesmail.delivery.reception import FiledParcel, Handover
from sesmail.delivery.routing import Routing
from sesmail.interfaces import Deliver, Hop
from sesmail.mail.outcome import Outcome
from sesmail.relay.submission import Run
from sesmail.service.workers import Workers

# Octets that one worker writes to the disk at a time.
PIECE = 64 * 1024
# A message that is not larger is never on the disk; when many come in at once each has its share of what all may keep in memory.
MOST_KEPT = 256 * 1024
ALL_KEPT = 16 * 1024 * 1024


def reception(config: Config, reactor: Any, routing: Routing, deliver: Deliver) -> tuple[LMTPReception, Workers]:
    """What takes the mail, for the mailboxes of section deliver and for those that `routing` finds, and the workers that must run for
    that. Without an answer the other server keeps the mail, so that nothing is lost when one of them is ended in the middle of a
    message."""
    workers = Workers(reactor, "lmtp", config.incoming.workers, config.limits.connections, daemon=True)
    boxes = deposits(config, _Rest(routing.plan, deliver), blocking_stores(clients(config)))
    # Not where temporary files are: that may be memory.
    handover = Handover(boxes.plan, boxes.deliver, config.service.state_dir)
    return LMTPReception(handover, workers.run), workers


@dataclass(frozen=True)
class _Rest:
    """See deposit.Rest."""

    plan: Callable[[str, Sequence[str]], Plan]
    deliver: Deliver


class LMTPReception:
    """See interfaces.Reception. `run` runs what blocks, and how long that takes is up to the destinations."""

    def __init__(self, handover: Handover, run: Run) -> None:
        self._handover = handover
        self._run = run
        self.parcels: WeakSet[IncomingParcel] = WeakSet()
        """Those that are coming in."""

    @property
    def kept(self) -> int:
        """Octets that one message may keep in memory."""
        return max(PIECE, min(MOST_KEPT, ALL_KEPT // max(1, len(self.parcels))))

    async def sender(self, address: str) -> None:
        """See Reception: mail of every sender is taken, for another server has done so already."""

    async def recipient(self, address: str, count: int) -> None:
        """See Reception."""
        await self._run(self._handover.check, address)

    async def begin(self, sender: str, recipients: Sequence[str], hop: Hop) -> IncomingParcel:
        """See Reception. How it came is not written anywhere: the server before this one has put its Received field there."""
        parcel = IncomingParcel(self, self._handover.take(sender, recipients, hop.queue_id), self._run)
        self.parcels.add(parcel)
        return parcel


class IncomingParcel:
    """See interfaces.Parcel."""

    def __init__(self, reception: LMTPReception, filed: FiledParcel, run: Run) -> None:
        self._reception = reception
        self._filed = filed
        self._run = run
        self._waiting = bytearray()
        self._on_disk = False

    async def write(self, piece: bytes) -> None:
        """See Parcel."""
        self._waiting += piece
        if len(self._waiting) >= (PIECE if self._on_disk else self._reception.kept):
            self._on_disk = True
            await self._run(self._filed.write, self._taken())

    async def finish(self) -> Mapping[str, Outcome]:
        """See Parcel."""
        self._reception.parcels.discard(self)
        return await self._run(self._filed.deliver, self._taken())

    async def discard(self) -> None:
        """See Parcel. Closing a file that has no name takes no worker."""
        self._reception.parcels.discard(self)
        self._waiting.clear()
        self._filed.discard()

    def _taken(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data
