"""``sesmail map query``: what the table of aliases says of addresses."""

from __future__ import annotations

import argparse

from sesmail.aliases import postfixmap
from sesmail.aliases.postfixmap import PostfixMap
from sesmail.config.load import load
from sesmail.config.problems import ConfigError, Problem, Where, in_one_line
from sesmail.errors import Malformed, Unavailable

EXIT_NOTHING_FOUND = 1


def run(args: argparse.Namespace) -> int:
    """Print each address for which there is a result, and the result. Raises ConfigError for a table that cannot be used."""
    table = _table(args.table or _configured(args.config))
    found = [(address, result) for address in args.addresses if (result := table.look_up(address)) is not None]
    for address, result in found:
        print(f"{in_one_line(address)}\t{in_one_line(result)}")
    return 0 if found else EXIT_NOTHING_FOUND


def _configured(path: str | None) -> str:
    config = load(path)
    if config.aliases.map is None:
        where = Where(config.source or "configuration")
        raise ConfigError([Problem(where, "aliases.map", "is not set; name a table with --table TYPE:PATH")])
    return config.aliases.map


def _table(spec: str) -> PostfixMap:
    try:
        return postfixmap.load(spec)
    except (Malformed, Unavailable) as error:
        raise ConfigError([Problem(Where(error.public), "", "")]) from None
