"""From a tree to the frozen sections of the table: every option is read by its kind, every problem is kept, none is raised."""

from __future__ import annotations

from collections.abc import Mapping as Environ
from typing import Any, TypeVar

from sesmail.config.kinds import AnyOr, Entry, Kind, ListOf, Text
from sesmail.config.option import is_required, options
from sesmail.config.problems import BadValue, Problem, Where, nearest
from sesmail.config.secrets import secret
from sesmail.config.tree import Items, Mapping, Node, Scalar

T = TypeVar("T")


class Bad(Exception):
    """Something could not be read; the problem is kept already."""


class Reading:
    """What one load finds: problems, warnings, the spot of each key that was given, and the files with secrets in them."""

    def __init__(self, environ: Environ[str, str]) -> None:
        self.environ = environ
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.spots: dict[str, Where] = {"": Where("configuration")}
        self.secret_holders: set[str] = set()

    def refuse(self, key: str, message: str, near: str | None = None, *, where: Where | None = None) -> None:
        """Keep a problem. Without `where` it is at the spot of `key`, or of the nearest key above it that was given."""
        self.problems.append(Problem(where or self._spot(key), key, message, near))

    def given(self, key: str) -> bool:
        """Whether the file or the environment says something about `key`."""
        return key in self.spots

    def broken(self, *names: str) -> bool:
        """Whether one of these sections has a problem already."""
        return any(problem.key.partition(".")[0] in names for problem in self.problems)

    def _spot(self, key: str) -> Where:
        while key and key not in self.spots:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return self.spots[key]

    def mapping(self, node: Node, path: str, names: list[str]) -> dict[str, Node]:
        """The known keys of a mapping; unknown and doubled ones are refused. Nothing at all counts as an empty mapping.

        Raises Bad for what is no mapping.
        """
        found: dict[str, Node] = {}
        if isinstance(node, Scalar) and node.text is None:
            return found
        if not isinstance(node, Mapping):
            self.refuse(path, "must hold keys and values", where=node.where)
            raise Bad
        for key, value in node.entries:
            name = key.text if key.text is not None else "null"
            full = f"{path}.{name}" if path else name
            if name not in names:
                self.refuse(_short(full), "unknown key", nearest(name, names), where=key.where)
            elif name in found:
                self.refuse(full, "given twice", where=key.where)
            else:
                found[name] = value
                self.spots[full] = key.where
        return found

    def record(self, node: Node, cls: type[T], path: str) -> T:
        """A section or an entry. Options that could not be read have their defaults.

        Raises Bad for what is no mapping, or if a required option is missing.
        """
        table = options(cls)
        found = self.mapping(node, path, list(table))
        values: dict[str, Any] = {}
        for name, one in table.items():
            if name in found:
                try:
                    values[one.name] = self.value(found[name], one.metadata["kind"], f"{path}.{name}")
                except Bad:
                    continue
            elif is_required(one):
                self.refuse(path, f"needs {name}", where=node.where)
        if any(is_required(one) and one.name not in values for one in table.values()):
            raise Bad
        return cls(**values)

    def value(self, node: Node, kind: Kind[Any], path: str) -> Any:
        """The value of one option. Raises Bad."""
        if isinstance(kind, Text):
            return self._text(node, kind, path)
        if isinstance(kind, Entry):
            return self.record(node, kind.cls, path)
        if isinstance(kind, AnyOr) and isinstance(node, Scalar) and node.text == "any":
            return None
        if isinstance(kind, AnyOr | ListOf):
            return self._list(node, kind.item, path, kind.words)
        raise TypeError(kind)

    def _list(self, node: Node, item: Kind[Any], path: str, words: str) -> tuple[Any, ...]:
        if isinstance(node, Scalar) and node.text is None:
            return ()
        if not isinstance(node, Items):
            self.refuse(path, f"must be {words}")
            raise Bad
        values = []
        for number, one in enumerate(node.items):
            self.spots[f"{path}[{number}]"] = one.where
            try:
                values.append(self.value(one, item, f"{path}[{number}]"))
            except Bad:
                continue
        return tuple(values)

    def _text(self, node: Node, kind: Text[Any], path: str) -> Any:
        if not isinstance(node, Scalar):
            self.refuse(path, "must be a single value", where=node.where)
            raise Bad
        if node.text is None:
            if kind.null:
                return None
            self.refuse(path, "has no value")
            raise Bad
        if not kind.secret and not node.text.isprintable():
            self.refuse(path, "must be printable text in one line")
            raise Bad
        try:
            if not kind.secret:
                return kind.parse(node.text)
            value = kind.parse(secret(node.text, self.environ, self.warnings))
            if value == node.text and node.where.line is not None:
                self.secret_holders.add(node.where.source)
            return value
        except BadValue as bad:
            self.refuse(path, str(bad), bad.near)
            raise Bad from None


def _short(key: str) -> str:
    return key if len(key) <= 100 and key.isprintable() else ascii(key[:100])
