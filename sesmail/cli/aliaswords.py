"""The words of ``sesmail alias``."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def arguments(parser: argparse.ArgumentParser, config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Tell the parser of all actions. `config` adds the option that names a configuration."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="list aliases")
    listing.add_argument("text", metavar="TEXT", nargs="?", default="", help="a part of the address")
    listing.add_argument("--domain", metavar="DOMAIN", help="only those of this domain")
    listing.add_argument("--owner", metavar="ACCOUNT", help='only those of this account; "" for those of nobody')
    listing.add_argument("--destination", metavar="ADDRESS", help="only those whose mail goes there")
    add = actions.add_parser("add", help="make an alias")
    add.add_argument("address", metavar="ADDRESS", help="its address")
    change = actions.add_parser("set", help="change an alias")
    change.add_argument("address", metavar="ADDRESS", help="its address")
    _state(change)
    for one in (add, change):
        _values(one)
    rename = actions.add_parser("rename", help="give an alias another address")
    rename.add_argument("address", metavar="OLD", help="its address")
    rename.add_argument("new", metavar="NEW", help="the new one")
    remove = actions.add_parser("remove", help="remove aliases for ever")
    remove.add_argument("addresses", metavar="ADDRESS", nargs="+", help="an address")
    importing = actions.add_parser("import", help="add the aliases of a file")
    importing.add_argument("--owner", metavar="ACCOUNT", default="", help="whose those are that name no owner")
    importing.add_argument("--replace", action="store_true", help="change those that are there and differ")
    exporting = actions.add_parser("export", help="write all aliases into a file")
    for one in (importing, exporting):
        _file(one)
    check = actions.add_parser("check", help="say what becomes of mail for aliases that tacomail treated differently")
    for one in (listing, add, change, rename, remove, importing, exporting, check):
        config(one)


def _values(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to", metavar="ADDRESS", action="append", help="where its mail goes, S3 for a mailbox; may be given several times"
    )
    parser.add_argument("--owner", metavar="ACCOUNT", help='whose it is; "" for nobody\'s')
    parser.add_argument("--description", metavar="TEXT", help="what it is for")


def _state(parser: argparse.ArgumentParser) -> None:
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--active", dest="state", action="store_const", const=(True, False), help="its mail is delivered")
    state.add_argument("--ignore", dest="state", action="store_const", const=(True, True), help="its mail is taken and dropped")
    state.add_argument("--inactive", dest="state", action="store_const", const=(False, False), help="its mail is refused")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the file, - for standard input or output")
    parser.add_argument("--format", choices=("csv", "json"), help="csv or lines of json, instead of what the name ends with")
