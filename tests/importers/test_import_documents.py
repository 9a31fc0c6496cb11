"""What the guides tell operators to type is what the command takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sesmail.cli.main import parser

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = re.findall(r"^ +sesmail (.+)$", (DOCS / "migrating.rst").read_text().replace("\\\n", ""), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_shown_are_taken(command: str) -> None:
    assert parser().parse_args(shlex.split(command)).module.startswith("sesmail.cli.")


def test_every_way_of_moving_over_is_shown() -> None:
    shown = [shlex.split(command)[1] for command in COMMANDS if command.startswith("import-config")]
    assert set(shown) == {"aws-ses-pop3-server", "aws-pop3-server", "hybrid-cloud-email", "mailtos3", "tacomail"}


@pytest.mark.parametrize("name", ["migrating.rst", "differences.rst"])
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"<([^>]+\.rst)>`_", (DOCS / name).read_text()):
        assert (DOCS / target).exists()
