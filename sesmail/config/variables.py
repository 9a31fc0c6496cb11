"""Options that the environment gives: ``SESMAIL__SECTION__KEY``, and the same with ``_FILE`` for one whose value lies in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sesmail.config.files import PREFIX, read_text
from sesmail.config.kinds import Kind, Text
from sesmail.config.option import options
from sesmail.config.problems import ConfigError, Problem, Where, nearest
from sesmail.config.read import Reading
from sesmail.config.table import sections
from sesmail.config.tree import Node, Scalar, parse

_FILE = "_FILE"

Overrides = dict[str, list[tuple[Scalar, Node]]]
"""Keys and values by section."""


def overrides(reading: Reading) -> Overrides:
    """What the variables say; problems are kept in `reading`, among them a name that is no option's and an option that is given twice."""
    known = {
        f"{PREFIX}{name}__{key}".upper(): (name, key, one.metadata["kind"])
        for name, cls in sections().items()
        for key, one in options(cls).items()
    }
    found: Overrides = {}
    for variable in sorted(one for one in reading.environ if one.startswith(PREFIX)):
        plain = variable if variable in known else variable.removesuffix(_FILE)
        if plain not in known:
            reading.refuse("", "unknown option", nearest(variable, list(known)), where=Where(variable))
            continue
        if plain != variable and plain in reading.environ:
            reading.refuse("", f"{plain} is set, too; one of them must go", where=Where(variable))
            continue
        name, key, kind = known[plain]
        given = _in_file if plain != variable else _as_it_is
        try:
            node = given(variable, reading.environ[variable], kind)
        except ConfigError as error:
            reading.problems.extend(error.problems)
            continue
        found.setdefault(name, []).append((Scalar(key, Where(variable)), node))
    return found


def _as_it_is(variable: str, value: str, kind: Kind[Any]) -> Node:
    return _scalar(value, kind, Where(variable)) if isinstance(kind, Text) else parse(value, variable, lines=False)


def _in_file(variable: str, path: str, kind: Kind[Any]) -> Node:
    if not Path(path).is_absolute():
        raise ConfigError([Problem(Where(variable), "", "must be the absolute path of a file")])
    if not isinstance(kind, Text):
        return parse(read_text(path), path)
    # What is in a secret's file is the secret, even if it looks as if it pointed elsewhere.
    value = f"file:{path}" if kind.secret else read_text(path).strip()
    return _scalar(value, kind, Where(variable))


def _scalar(value: str, kind: Text[Any], where: Where) -> Scalar:
    return Scalar(None if kind.null and value in ("", "null") else value, where)
