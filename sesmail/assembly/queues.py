"""The queues of the configuration."""

from __future__ import annotations

from sesmail.assembly.whom import whom
from sesmail.aws.queues import Queue, QueuePlace
from sesmail.config.table import Config

# One more than there are workers, for the long poll.
_POLLS = 1


def notices(config: Config) -> Queue | None:
    """The queue that tells of mail."""
    return _queue(config, config.queue.url)


def dead_letters(config: Config) -> Queue | None:
    """The queue of notices that failed too often."""
    return _queue(config, config.queue.dead_letter_url)


def queue_place(config: Config, url: str) -> QueuePlace:
    """Which queue, and as whom. AWS's own URLs name the region."""
    region = config.queue.region or (None if "amazonaws.com" in url else config.storage.region)
    return QueuePlace(url=url, region=region, endpoint=config.queue.endpoint, **whom(config.queue, config))


def _queue(config: Config, url: str | None) -> Queue | None:
    return None if url is None else Queue(queue_place(config, url), connections=config.queue.workers + _POLLS)
