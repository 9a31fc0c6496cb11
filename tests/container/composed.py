"""What compose.yaml comes to with example.env."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.packaging.tree import ROOT

FOLDER = ROOT / "etc" / "container"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def variables() -> dict[str, str]:
    """Those of example.env."""
    lines = (FOLDER / "example.env").read_text().splitlines()
    return dict(line.partition("=")[::2] for line in lines if line and not line.startswith("#"))


def composed(name: str = "compose.yaml") -> dict[str, Any]:
    """The file as compose reads it. Raises KeyError for a variable that must be given and is not."""
    given = variables()

    def value(match: re.Match[str]) -> str:
        return given.get(match[1]) or (match[3] if match[2] == "-" else given[match[1]])

    found: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, (FOLDER / name).read_text()))
    return found


def service(name: str) -> dict[str, Any]:
    """One of its containers."""
    found: dict[str, Any] = composed()["services"][name]
    return found
