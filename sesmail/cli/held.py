"""``sesmail held``: the mail that came in and that nobody could be given, beside a running gateway or without one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

from sesmail.assembly.sorting import inbox
from sesmail.assembly.stores import blocking_stores, clients, incoming_store
from sesmail.assembly.unsealing import data_keys, for_delivery, kms, receiving_sealed, unsealing
from sesmail.cli.main import EXIT_FAILED, EXIT_TEMPORARY
from sesmail.cli.shown import header, moment
from sesmail.config.load import load
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.delivery.held import Held, HeldEntry
from sesmail.delivery.heldrecord import HeldRecord, Why
from sesmail.delivery.journey import Sorted
from sesmail.delivery.sorter import Sorter
from sesmail.errors import Busy, Limited, MailError, NoSuchMessage, Unavailable
from sesmail.interfaces import NO_STORE
from sesmail.log import quoted

_HEAD = 64 * 1024
_ENDS = {
    Sorted.DONE: "is delivered",
    Sorted.HELD: "is still held",
    Sorted.SWEPT: "is delivered, and waits for its notice",
    Sorted.GONE: "is gone already",
}


def run(args: argparse.Namespace) -> int:
    """Do what ``args.action`` says. Raises ConfigError, and Unavailable when the store cannot be asked."""
    config = load(args.config)
    if incoming_store(config).url == NO_STORE:
        where = Where(config.source or "configuration")
        raise ConfigError([Problem(where, "incoming.url", "is not set, and storage.url is none: nothing can be held")])
    reached = clients(config)
    held = Held(
        inbox(config, blocking_stores(reached), for_delivery(unsealing(config, data_keys(config, kms(config, reached)))))
    )
    if args.action == "list":
        return _list(held)
    if args.action == "show":
        return _for_each(args.ids, lambda id: _show(held, id))
    if args.action == "drop":
        return _for_each(args.ids, lambda id: _drop(held, id))
    ids = [entry.id for entry in held.entries()] if args.all else args.ids
    return _retry(config, ids, anyway=args.anyway)


def _for_each(ids: Iterable[str], act: Callable[[str], object]) -> int:
    """Every one, whatever became of the others. Returns the exit status."""
    status = 0
    for id in ids:
        try:
            act(id)
        except MailError as error:
            said = error.public if isinstance(error, NoSuchMessage) else error
            print(f"sesmail held: {quoted(id)}: {said}", file=sys.stderr)
            later = isinstance(error, Unavailable | Limited | Busy)
            status = (status or EXIT_TEMPORARY) if later else EXIT_FAILED
    return status


def _list(held: Held) -> int:
    count = 0
    for entry in held.entries():
        count += 1
        print("\n".join(_summary(entry)))
    print(f"{count} messages are held" if count else "no mail is held")
    return 0


def _summary(entry: HeldEntry) -> Iterator[str]:
    record = entry.record
    first = f"{quoted(entry.id)}  {moment(entry.since)}  {entry.size} octets"
    if record is None:
        yield f"{first}  {entry.trouble}"
        return
    yield f"{first}  {', '.join(reason.value for reason in record.reasons)}"
    people = [*record.recipients, *record.unreadable]
    to = f"{quoted(people[0])}{f' and {len(people) - 1} more' if people[1:] else ''}" if people else "nobody knows whom"
    yield f"    {_sender(record)} -> {to}"


def _show(held: Held, id: str) -> None:
    entry = held.entry(id)
    print(f"id: {entry.id}")
    print(f"held since: {moment(entry.since)}")
    print(f"size: {entry.size} octets")
    if entry.record is None:
        print(f"record: {entry.trouble}")
    else:
        print("\n".join(_described(entry.record)))
    print(f"\n{header(held.head(id, _HEAD))}", end="")


def _described(record: HeldRecord) -> Iterator[str]:
    yield f"received: {moment(record.received)}"
    yield f"sender: {_sender(record)}"
    found = record.verdicts
    checks = {"spam": found.spam, "virus": found.virus, "spf": found.spf, "dkim": found.dkim, "dmarc": found.dmarc}
    yield f"verdicts: {', '.join(f'{name} {verdict.value.lower()}' for name, verdict in checks.items())}"
    for recipient, why in record.recipients.items():
        yield f"recipient: {quoted(recipient)}, {_why(why)}"
    for written in record.unreadable:
        yield f"recipient: {quoted(written)}, which is no address here"
    if record.guessed:
        yield "its recipients are guessed: a notice of it may still come"


def _why(why: Why) -> str:
    return why.reason.value + (f": {quoted(why.text)}" if why.text else "")


def _sender(record: HeldRecord) -> str:
    return quoted(record.sender) if record.sender else "<>"


def _drop(held: Held, id: str) -> None:
    held.drop(id)
    print(f"{id}: is removed")


def _retry(config: Config, ids: Iterable[str], *, anyway: bool) -> int:
    with ExitStack() as end:
        sorter = receiving_sealed(config, end).sorter
        return _for_each(ids, lambda id: _tried(sorter, id, anyway))


def _tried(sorter: Sorter, id: str, anyway: bool) -> None:
    print(f"{id}: {_ENDS[sorter.retry(id, anyway=anyway)]}")
