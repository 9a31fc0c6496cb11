"""A sesmail.yaml in the making: what another system's settings come to, and which setting each value comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sesmail.config.foreign.settings import Given
from sesmail.config.option import options
from sesmail.config.problems import ConfigError, Problem, in_one_line
from sesmail.config.table import sections

# Puts a text into a file of its own, by a short name, and returns the absolute path.
Beside = Callable[[str, str], str]

_REFERENCES = ("file:", "env:", "credential:")


class Draft:
    """Values, warnings and problems. `origin` says in words what the values of `system` were taken from, `beside` where texts go
    that sesmail reads from files only; None: nowhere."""

    def __init__(self, system: str, origin: str, beside: Beside | None) -> None:
        self.system = system
        self.origin = in_one_line(origin)
        self.warnings: list[str] = []
        self._problems: list[Problem] = []
        self._values: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, Given] = {}
        self._beside = beside

    def put(self, key: str, value: object, source: Given | None = None) -> None:
        """Give the option `key` (``storage.url``) a value."""
        section, _, name = key.partition(".")
        self._values.setdefault(section, {})[name] = value
        self.came_from(key, source)

    def came_from(self, key: str, source: Given | None) -> None:
        """Problems of `key` are problems of `source`."""
        if source is not None:
            self._sources[key] = source

    def warn(self, message: str) -> None:
        """Something to know that does not stand in the way."""
        self.warnings.append(in_one_line(message))

    def refuse(self, problem: Problem) -> None:
        """Something that cannot be taken over."""
        self._problems.append(problem)

    def secret(self, given: Given) -> str:
        """How a secret is written. One that would read as a reference goes into a file."""
        if not given.text.startswith(_REFERENCES):
            return given.text
        return f"file:{self.in_file(given, given.name, given.text + chr(10))}"

    def in_file(self, given: Given, name: str, content: str) -> str:
        """The path of a file with this content; where there is no place for one, a problem."""
        if self._beside is None:
            self.refuse(given.problem("needs a file of its own; name an output file with -o, and it is put beside that"))
            return "/"
        return self._beside(name, content)

    def explained(self, error: ConfigError) -> list[Problem]:
        """The problems of the finished file, told of the settings that they come from; each once, however many options that made."""
        return list(dict.fromkeys(self._explained(problem) for problem in error.problems))

    def _explained(self, problem: Problem) -> Problem:
        source = self._sources.get(problem.key)
        return problem if source is None else source.problem(problem.message)

    def text(self) -> str:
        """The file, commented. Raises ConfigError when something cannot be taken over."""
        if self._problems:
            raise ConfigError(self._problems)
        lines = [*_comment(f"sesmail.yaml, made from the configuration of {self.system}: {self.origin}.", 0)]
        lines += _comment("Every option is described in sesmail.yaml(5). Check it with: sesmail check-config --config FILE", 0)
        for warning in self.warnings:
            lines += _comment(f"- {warning}", 0)
        for name, cls in sections().items():
            if name in self._values:
                lines += ["", *_comment((cls.__doc__ or "").split("\n")[0], 0), f"{name}:"]
                lines += self._section(name, cls)
        return "\n".join(lines) + "\n"

    def _section(self, name: str, cls: type) -> Iterable[str]:
        import yaml

        for key, one in options(cls).items():
            if key not in self._values[name]:
                continue
            source = self._sources.get(f"{name}.{key}")
            yield from _comment(one.metadata["sentence"] + (f" Was {source.name}." if source else ""), 2)
            written = yaml.safe_dump({key: self._values[name][key]}, sort_keys=False, allow_unicode=True, width=1 << 20)
            yield from (f"  {line}" if line else "" for line in written.rstrip("\n").split("\n"))


def _comment(text: str, indent: int) -> list[str]:
    import textwrap

    start = " " * indent + "# "
    return textwrap.wrap(text, 118, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)
