"""``sesmail alias import`` and ``export``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO
from uuid import uuid4

from sesmail.aliases.records import Alias
from sesmail.aliases.rowfiles import Blanks, csv_lines, json_lines, of_csv, of_json
from sesmail.aliases.table import Table
from sesmail.cli.main import EXIT_FAILED
from sesmail.cli.progress import progress
from sesmail.config.problems import in_one_line
from sesmail.errors import MailError, Malformed, Unavailable

_BATCH = 500


@dataclass
class _Ends:
    """How many aliases ended how."""

    added: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return f"{self.added} added, {self.changed} changed, {self.same} were there already, {self.refused} refused"


def import_from(table: Table, args: argparse.Namespace) -> int:
    """Add what is not there; an import that broke off can be repeated. Returns the exit status. Raises Malformed, and Unavailable."""
    ends = _Ends()
    blanks = Blanks(int(time.time()), lambda: str(uuid4()), args.owner)
    with _opened(args.file, "r") as file:
        rows = (of_csv if _is_csv(args) else of_json)(file, blanks)
        shown = progress(rows, "aliases")
        while batch := list(islice(shown, _BATCH)):
            _take(table, batch, args, ends)
    print(ends)
    return EXIT_FAILED if ends.refused else 0


def export_to(aliases: Iterable[Alias], args: argparse.Namespace) -> int:
    """Write all of them; the file is for its owner alone. Returns the exit status. Raises Unavailable."""
    with _opened(args.file, "w") as file:
        file.writelines((csv_lines if _is_csv(args) else json_lines)(progress(aliases, "aliases")))
    return 0


def _take(table: Table, batch: list[tuple[int, Alias | Malformed]], args: argparse.Namespace, ends: _Ends) -> None:
    numbers = {id(row): number for number, row in batch}
    good = [row for _, row in batch if isinstance(row, Alias)]
    left = table.add_all(good)
    ends.added += len(good) - len(left)
    for number, row in batch:
        if isinstance(row, Malformed):
            _refuse(args, number, row.public, ends)
    for row in left:
        _meet(table, row, numbers[id(row)], args, ends)


def _meet(table: Table, row: Alias, number: int, args: argparse.Namespace, ends: _Ends) -> None:
    """One whose address or identifier is taken."""
    old = table.get(row.local, row.domain)
    try:
        if old is None:
            _refuse(args, number, f"{row.address}: another alias has its identifier", ends)
        elif _content(old) == _content(row):
            ends.same += 1
        elif args.replace:
            table.change(old, replace(row, identifier=old.identifier, created=old.created))
            ends.changed += 1
        else:
            _refuse(args, number, f"{row.address}: is there already, and differs; --replace changes it", ends)
    except Unavailable:
        raise
    except MailError as error:
        _refuse(args, number, f"{row.address}: {error.public}", ends)


def _content(alias: Alias) -> tuple[object, ...]:
    return alias.destinations, alias.active, alias.ignore, alias.owner, alias.description


def _refuse(args: argparse.Namespace, number: int, why: str, ends: _Ends) -> None:
    ends.refused += 1
    print(f"{args.file}:{number}: {in_one_line(why)}", file=sys.stderr)


def _is_csv(args: argparse.Namespace) -> bool:
    return bool((args.format or ("csv" if args.file.lower().endswith(".csv") else "json")) == "csv")


@contextmanager
def _opened(name: str, mode: str) -> Iterator[IO[str]]:
    if name == "-":
        yield sys.stdin if mode == "r" else sys.stdout
        return
    try:
        with open(name, mode, encoding="utf-8-sig" if mode == "r" else "utf-8", newline="", opener=_private) as file:
            yield file
    except UnicodeDecodeError:
        raise Malformed(f"{name} is not UTF-8") from None
    except OSError as error:
        raise Malformed(f"{name}: {error.strerror}") from error


def _private(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_CLOEXEC, 0o600)
