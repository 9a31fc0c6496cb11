"""A program that changes one alias many times: ``SPEC TIMES``. Each time the number in its description is one more than the one it read."""

from __future__ import annotations

import sys
from dataclasses import replace

from sesmail.aliases.table import Changed, Table
from sesmail.errors import Limited
from tests.aliases.tables import opened


def count_up(table: Table, times: int) -> None:
    """Read and change the alias bob@example.com, again whenever somebody else was quicker."""
    done = 0
    while done < times:
        old = table.get("bob", "example.com")
        assert old is not None
        try:
            table.change(old, replace(old, description=str(int(old.description) + 1)))
            done += 1
        except (Changed, Limited):
            continue


if __name__ == "__main__":
    count_up(opened(sys.argv[1]), int(sys.argv[2]))
