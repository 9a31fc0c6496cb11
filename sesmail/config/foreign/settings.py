"""The settings of another system, each with the spot where it was given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sesmail.config.files import read_text
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.tree import Mapping as Tree
from sesmail.config.tree import Scalar, parse

# Go's idea of a number where YAML 1.1 sees a word.
_GO_NUMBER = re.compile(r"0o[0-7]+|[-+]?\d[\d_]*[eE][-+]?\d+", re.ASCII)
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)


@dataclass(frozen=True)
class Given:
    """One setting. An empty text was given as such."""

    name: str
    text: str = field(repr=False)
    where: Where

    def problem(self, message: str, near: str | None = None) -> Problem:
        """What is wrong with it, and the name that was probably meant."""
        return Problem(self.where, "" if self.name == self.where.source else self.name, message, near)


def from_environ(environ: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Given]:
    """Settings by name; `names` gives the variable of each. An empty variable counts as none."""
    found = {name: environ[variable] for name, variable in names.items() if environ.get(variable)}
    return {name: Given(name, text, Where(names[name])) for name, text in found.items()}


def from_yaml(source: str, switches: Iterable[str] = ()) -> dict[str, Given]:
    """Settings of a flat YAML file by their name in lower case; ``null`` counts as none.

    Raises ConfigError, also for a value whose text is not what YAML makes of it (``0123``, ``1.50``, ``yes``, without quotes):
    what the other system took it for is not to be guessed. `switches` are settings that are true or false, however spelled.
    """
    root = parse(read_text(source), source)
    if isinstance(root, Scalar) and root.text is None:
        return {}
    if not isinstance(root, Tree):
        raise ConfigError([Problem(root.where, "", "must hold keys and values")])
    found: dict[str, Given] = {}
    problems = []
    for key, value in root.entries:
        name = (key.text or "null").lower()
        if not isinstance(value, Scalar):
            problems.append(Problem(value.where, name, "must be a single value"))
        elif name in found:
            problems.append(Problem(key.where, name, "given twice"))
        elif value.text is not None:
            found[name] = Given(name, value.text, value.where)
            if value.plain and name not in switches and not _means_its_text(value.text):
                problems.append(Problem(value.where, name, "means something else without quotes; write what it was in quotes"))
    if problems:
        raise ConfigError(problems)
    return found


def unknown(given: Mapping[str, Given], names: Iterable[str]) -> list[Given]:
    """Those that are none of `names`."""
    known = set(names)
    return [one for one in given.values() if one.name not in known]


def _means_its_text(text: str) -> bool:
    import yaml

    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False)).rpartition(":")[2]
    if tag == "str":
        return not _GO_NUMBER.fullmatch(text)
    return text in ("true", "false") or bool(_WHOLE.fullmatch(text))
