"""``sesmail alias``: the aliases of the configured table, beside a running gateway or without one."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sesmail.aliases.addresses import alias_address, destination, domain_name
from sesmail.aliases.records import IN_STORE, Alias
from sesmail.aliases.table import MOST_ROWS, NoSuchRow, Query, Table
from sesmail.assembly.accounts import account_of
from sesmail.assembly.aliastable import alias_table
from sesmail.cli.aliasfiles import export_to, import_from
from sesmail.cli.main import EXIT_FAILED, EXIT_TEMPORARY
from sesmail.config.load import load
from sesmail.config.problems import ConfigError, Problem, Where, in_one_line
from sesmail.config.table import Config
from sesmail.errors import MailError, Unavailable


def run(args: argparse.Namespace) -> int:
    """Do what ``args.action`` says. Raises ConfigError where there is no table, and what a table raises."""
    config = load(args.config)
    with ExitStack() as end:
        table = alias_table(config, end)
        if table is None:
            where = Where(config.source or "configuration")
            raise ConfigError([Problem(where, "aliases.table", "is none: there is no table of aliases")])
        if getattr(args, "owner", None):
            args.owner = account_of(config)(args.owner)
        return _do(args, config, table)


def _do(args: argparse.Namespace, config: Config, table: Table) -> int:
    if args.action == "check":
        # It puts together all that receives mail, which takes a second.
        from sesmail.cli import aliascheck

        return aliascheck.check(config, table)
    if args.action == "list":
        return _list(table, args)
    if args.action == "remove":
        return _remove(table, args.addresses)
    if args.action == "import":
        return import_from(table, args)
    if args.action == "export":
        return export_to(every(table, Query()), args)
    acts = {"add": _add, "set": _set, "rename": _rename}
    print(_line(acts[args.action](table, args)))
    return 0


def every(table: Table, query: Query) -> Iterator[Alias]:
    """Page after page. Raises Unavailable."""
    after = ""
    while True:
        page = table.find(query, limit=MOST_ROWS, after=after)
        yield from page.aliases
        after = page.after
        if not after:
            return


def _list(table: Table, args: argparse.Namespace) -> int:
    query = Query(
        text=args.text.strip().lower(),
        domain=domain_name(args.domain) if args.domain else None,
        destination=destination(args.destination) if args.destination else None,
        owner=args.owner,
    )
    count = 0
    for alias in every(table, query):
        count += 1
        print(_line(alias))
    return 0 if count else EXIT_FAILED


def _add(table: Table, args: argparse.Namespace) -> Alias:
    local, domain = alias_address(args.address)
    now = int(time.time())
    blank = Alias(local, domain, (IN_STORE,), str(uuid4()), created=now, modified=now)
    return table.add(replace(blank, **_given(args)))


def _set(table: Table, args: argparse.Namespace) -> Alias:
    old = _found(table, args.address)
    given = _given(args)
    if args.state is not None:
        given |= {"active": args.state[0], "ignore": args.state[1]}
    return table.change(old, replace(old, modified=int(time.time()), **given))


def _given(args: argparse.Namespace) -> dict[str, Any]:
    given: dict[str, Any] = {name: value for name in ("owner", "description") if (value := getattr(args, name)) is not None}
    if args.to:
        given["destinations"] = tuple(dict.fromkeys(map(destination, args.to)))
    return given


def _rename(table: Table, args: argparse.Namespace) -> Alias:
    old = _found(table, args.address)
    local, domain = alias_address(args.new)
    return table.change(old, replace(old, local=local, domain=domain, modified=int(time.time())))


def _remove(table: Table, addresses: list[str]) -> int:
    """Every one, whatever became of the others. Returns the exit status."""
    status = 0
    for address in addresses:
        try:
            table.remove(_found(table, address))
            print(f"{in_one_line(address)}: is removed")
        except MailError as error:
            print(f"sesmail alias: {in_one_line(address)}: {error}", file=sys.stderr)
            status = (status or EXIT_TEMPORARY) if isinstance(error, Unavailable) else EXIT_FAILED
    return status


def _found(table: Table, address: str) -> Alias:
    local, _, domain = address.strip().rpartition("@")
    # A key that tacomail wrote in upper case is found as it is written.
    found = table.get(local, domain) or table.get(*alias_address(address))
    if found is None:
        raise NoSuchRow(f"there is no alias {in_one_line(address)}")
    return found


def _line(alias: Alias) -> str:
    state = "inactive" if not alias.active else "ignored" if alias.ignore else "active"
    to = ", ".join(alias.destinations)
    cells = (alias.address, to, state, alias.owner or "-", str(alias.use_count), alias.description)
    return "\t".join(in_one_line(cell) for cell in cells).rstrip()
