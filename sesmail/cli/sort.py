"""``sesmail sort``: mail that came in is sorted here and now, beside a running gateway or without one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import ExitStack

from sesmail.assembly import collecting, queues
from sesmail.assembly.sorting import Receiving
from sesmail.assembly.stores import incoming_store
from sesmail.assembly.unsealing import receiving_sealed
from sesmail.cli.main import EXIT_TEMPORARY
from sesmail.config.kinds import duration
from sesmail.config.load import load
from sesmail.config.problems import BadValue, ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.delivery.consumer import Consumer
from sesmail.delivery.sweep import LEFT
from sesmail.errors import Malformed
from sesmail.interfaces import NO_STORE

# Seconds for what is in work when the command is interrupted.
_DRAIN = 10.0


def run(args: argparse.Namespace) -> int:
    """Sort once; the exit status says whether something is left. Raises ConfigError, and Unavailable when queue or store cannot be asked."""
    config = load(args.config)
    if incoming_store(config).url == NO_STORE:
        raise _problem(config, "incoming.url", "is not set, and storage.url is none: there is nothing to sort")
    age = _age(args.age)
    with ExitStack() as end:
        mail = receiving_sealed(config, end)
        if args.dlq:
            return _dead_letters(config, mail)
        left = _queue(config, mail) if args.once else 0
        return _sweep(config, mail, age) or left


def _age(text: str | None) -> float | None:
    try:
        return None if text is None else float(duration(0, 3650 * 86400).parse(text))
    except BadValue as error:
        raise Malformed(f"--age {error}") from None


def _problem(config: Config, key: str, message: str) -> ConfigError:
    return ConfigError([Problem(Where(config.source or "configuration"), key, message)])


def _dead_letters(config: Config, mail: Receiving) -> int:
    queue = queues.dead_letters(config)
    if queue is None:
        raise _problem(config, "queue.dead_letter_url", "is not set: there is no queue of dead letters")
    return _emptied("dead letters", collecting.dead_letter_consumer(config, queue, mail.intake.take))


def _queue(config: Config, mail: Receiving) -> int:
    queue = queues.notices(config)
    return 0 if queue is None else _emptied("queue", collecting.consumer(config, queue, mail.intake.take))


def _emptied(name: str, consumer: Consumer) -> int:
    try:
        counts = consumer.until_empty()
    finally:
        consumer.stop(_DRAIN)
    print(f"{name}: {counts.done} done, {counts.left} left, {counts.malformed} of them malformed")
    return EXIT_TEMPORARY if counts.left else 0


def _sweep(config: Config, mail: Receiving, age: float | None) -> int:
    counts = collecting.sweep(config, mail.inbox, mail.sorter, after=age).run()
    print(f"sweep: {_in_words(counts)}")
    if removed := collecting.expiry(config, mail.inbox).run()["swept"]:
        print(f"removed: {removed} that waited for a notice long enough")
    return EXIT_TEMPORARY if counts.get(LEFT) else 0


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "nothing found"
