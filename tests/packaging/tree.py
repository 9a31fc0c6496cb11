"""What the repository and its setup.cfg say about the package, for the tests of this room."""

from __future__ import annotations

import shutil
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def setup() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def lines(section: str, option: str) -> list[str]:
    """The lines of an option of setup.cfg that is a list."""
    return [line for line in setup()[section][option].split("\n") if line]


def modules(package: str) -> list[str]:
    """Every module of a package, itself included, by the files that are there; of a plain module just its name."""
    place = ROOT / package.replace(".", "/")
    if not place.is_dir():
        return [package]
    found = [path.relative_to(ROOT).with_suffix("") for path in place.rglob("*.py")]
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in found)


def copy_sources(target: Path) -> Path:
    """A copy of what a release is built from, without what tools leave behind."""
    for name in ("setup.cfg", "pyproject.toml", "README.rst", "CHANGELOG.rst", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, target)
    for name in ("sesmail", "twisted", "tests", "etc", "docs", "bench"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
    return target
