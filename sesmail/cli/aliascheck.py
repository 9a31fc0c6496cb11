"""``sesmail alias check``: what becomes of mail for the aliases of a table that another program kept."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack

from sesmail.assembly.aliaschanges import changes
from sesmail.assembly.aliastable import alias_table
from sesmail.config.load import load
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.log import quoted


def run(args: argparse.Namespace) -> int:
    """Print a line for each alias whose mail goes elsewhere than tacomail brought it; 1 if there is one. Raises ConfigError, Unavailable."""
    # What cannot be used is told in the lines.
    logging.getLogger("sesmail.delivery.targets").setLevel(logging.CRITICAL)
    config = load(args.config)
    with ExitStack() as end:
        table = alias_table(config, end)
        if table is None:
            where = Where(config.source or "configuration")
            raise ConfigError([Problem(where, "aliases.table", "is none; there are no aliases to check")])
        told = False
        for line in changes(config, table):
            print(_shown(line))
            told = True
    if not told:
        print("Mail goes where it went before.")
    return 1 if told else 0


def _shown(line: str) -> str:
    """In one line, whatever a table has in it."""
    return line if line.isprintable() else quoted(line)
