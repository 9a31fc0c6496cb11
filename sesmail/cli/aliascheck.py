"""``sesmail alias check``: what becomes of mail for the aliases of a table that another program kept."""

from __future__ import annotations

import logging

from sesmail.aliases.table import Table
from sesmail.assembly.aliaschanges import changes
from sesmail.config.table import Config
from sesmail.log import quoted


def check(config: Config, table: Table) -> int:
    """Print a line for each alias whose mail goes elsewhere than tacomail brought it; 1 if there is one. Raises ConfigError, Unavailable."""
    # What cannot be used is told in the lines.
    logging.getLogger("sesmail.delivery.targets").setLevel(logging.CRITICAL)
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
