"""What single options of section aliases cannot know."""

from __future__ import annotations

from pathlib import Path

from sesmail.config import credentials
from sesmail.config.aliases import Aliases
from sesmail.config.credentials import WHO
from sesmail.config.read import Reading
from sesmail.config.table import Config

_OF_DYNAMODB = ("dynamodb_table", "region", "endpoint", *WHO, "cache")
_OF_ANY = ("mailbox", "require_domain")


def aliases(config: Config, reading: Reading) -> None:
    """Section aliases."""
    given = config.aliases
    path = (given.map or "").partition(":")[2]
    if path and not Path(path).is_file():
        reading.refuse("aliases.map", f"{path} does not exist" if not Path(path).exists() else f"{path} is not a file")
    credentials.check(given, "aliases", reading)
    if given.table == "dynamodb" and not given.dynamodb_table:
        reading.refuse("aliases.table", "dynamodb needs dynamodb_table, the name of the table")
    unused = {"sqlite": _OF_DYNAMODB, "dynamodb": ("file",), "none": (*_OF_DYNAMODB, "file", *_OF_ANY)}[given.table]
    for name in unused:
        if getattr(given, name) != getattr(Aliases(), name):
            reading.warnings.append(f"aliases.{name} is never used, as aliases.table is {given.table}")
