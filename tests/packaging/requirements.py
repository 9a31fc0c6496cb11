"""Print what setup.cfg requires, one requirement a line: ``requirements.py [EXTRA ...]``. Runs on a bare python3, before anything is installed."""

from __future__ import annotations

import sys
from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).parents[2] / "setup.cfg"


def requirements(extras: list[str]) -> list[str]:
    """The lines of install_requires and of these extras. Raises KeyError for an extra that is not there."""
    setup = ConfigParser()
    setup.read(SETUP)
    wanted = [setup["options"]["install_requires"]]
    wanted += [setup["options.extras_require"][extra] for extra in extras]
    return [line for block in wanted for line in block.split("\n") if line and not line.startswith("#")]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
