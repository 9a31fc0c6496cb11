"""The ``.env`` of Docker Compose: variables, one a line."""

from __future__ import annotations

import re

from sesmail.config.files import read_text
from sesmail.config.foreign.settings import Given
from sesmail.config.problems import ConfigError, Problem, Where

_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
    (?:'(?P<single>[^']*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<plain>[^'"#\s](?:[^\s]|[ \t]+(?!\#))*)?)
    [ \t]*(?:(?<=\s)\#.*)?""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")


def read_variables(source: str) -> dict[str, Given]:
    """Variables by name; of one that is given twice the last counts, and an empty one counts as none.

    Raises ConfigError for a line that is none, and for a value with ``$``: what Compose put in for that is not known here.
    """
    found: dict[str, Given] = {}
    problems = []
    for number, line in enumerate(read_text(source).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = Where(source, number)
        read = _LINE.fullmatch(line.rstrip())
        if read is None:
            problems.append(Problem(where, "", "must have the form NAME=VALUE"))
        elif "$" in (read["double"] or read["plain"] or ""):
            problems.append(Problem(where, read["name"], "has a $ in it; write out what it stands for"))
        else:
            text = read["single"] or _ESCAPED.sub(r"\1", read["double"] or "") or read["plain"] or ""
            found[read["name"]] = Given(read["name"], text.strip(), where)
    if problems:
        raise ConfigError(problems)
    return {name: one for name, one in found.items() if one.text}
