"""How mail that comes in is collected, put together from the configuration: from queues, and by looking for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from sesmail.aws.queues import Queue
from sesmail.aws.receipt import Notice
from sesmail.config.table import Config
from sesmail.delivery.consumer import Consumer, Take
from sesmail.delivery.expiry import Expiry
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.journey import Sorted
from sesmail.delivery.sorter import Sorter
from sesmail.delivery.sweep import Sweep


def consumer(config: Config, queue: Queue, take: Take) -> Consumer:
    """Of the queue of notices, and for one pass over it."""
    return Consumer(queue, take, workers=config.queue.workers, visibility=int(config.queue.visibility))


def dead_letter_consumer(config: Config, queue: Queue, take: Take) -> Consumer:
    """For one pass over the queue of notices that failed too often. What fails again rests until about the next pass."""

    def take_again(body: str, *, again: bool) -> None:
        take(body, again=True)

    rest = int(min(config.queue.dead_letter_every, 3600))
    return Consumer(
        queue, take_again, workers=config.queue.workers, visibility=int(config.queue.visibility), again=lambda count: rest
    )


def sweep(config: Config, inbox: Inbox, sorter: Sorter, *, after: float | None = None) -> Sweep:
    """`after`: instead of incoming.sweep_after. Somebody may have tried every message before, and may be gone."""
    sort: Callable[[Notice], Sorted] = partial(sorter.sort, again=True)
    age = config.incoming.sweep_after if after is None else after
    return Sweep(inbox, sort, after=age, now=time.time, workers=config.incoming.workers)


def expiry(config: Config, inbox: Inbox) -> Expiry:
    """Of swept mail."""
    return Expiry(inbox, keep=config.incoming.swept_keep, now=time.time)
