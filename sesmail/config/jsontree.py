"""JSON text as the same tree as YAML's, in which everything knows its line and column (RFC 8259)."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.tree import Items, Mapping, Node, Scalar

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_WORD = re.compile(r"true|false|null")
_DEEPEST = 64

_Found: TypeAlias = tuple[Node, int]


def parse(text: str, source: str) -> Node:
    """The tree of one JSON text. What is written without quotes is a plain Scalar, ``null`` one of None.

    Raises ConfigError with line and column for what is no JSON; the error repeats nothing of the text.
    """
    reader = _Reader(text, source)
    node, at = reader.value(reader.skip(0), 0)
    at = reader.skip(at)
    if at < len(text):
        raise reader.refused(at, "something follows the end")
    return node


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source

    def where(self, at: int) -> Where:
        """Line and column, from 1."""
        return Where(self._source, self._text.count("\n", 0, at) + 1, at - self._text.rfind("\n", 0, at))

    def refused(self, at: int, what: str) -> ConfigError:
        if self._text.startswith(("//", "/*", "#"), at):
            what = "a comment, which JSON does not have"
        return ConfigError([Problem(self.where(at), "", f"not valid JSON: {what}")])

    def skip(self, at: int) -> int:
        """Behind the blanks."""
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> _Found:
        if depth > _DEEPEST:
            raise self.refused(at, "nested too deeply")
        start = self._text[at : at + 1]
        if start == "{":
            return self._object(at, depth)
        if start == "[":
            return self._list(at, depth)
        if start == '"':
            return self._string(at)
        found = _NUMBER.match(self._text, at) or _WORD.match(self._text, at)
        if found is None:
            raise self.refused(at, "a value is wanted here")
        return Scalar(None if found[0] == "null" else found[0], self.where(at), plain=True), found.end()

    def _string(self, at: int) -> tuple[Scalar, int]:
        found = _STRING.match(self._text, at)
        if found is None:
            raise self.refused(at, "a string without end, or with something in it that must be escaped")
        return Scalar(json.loads(found[0]), self.where(at)), found.end()

    def _object(self, at: int, depth: int) -> _Found:
        entries: list[tuple[Scalar, Node]] = []
        end = self.skip(at + 1)
        while not (self._text[end : end + 1] == "}" and not entries):
            if self._text[end : end + 1] != '"':
                raise self.refused(end, "a key in double quotes is wanted here")
            key, end = self._string(end)
            end = self.skip(end)
            if self._text[end : end + 1] != ":":
                raise self.refused(end, "a colon is wanted here")
            value, end = self.value(self.skip(end + 1), depth + 1)
            entries.append((key, value))
            if (end := self._next(end, "}")) < 0:
                return Mapping(tuple(entries), self.where(at)), -end
        return Mapping((), self.where(at)), end + 1

    def _list(self, at: int, depth: int) -> _Found:
        items: list[Node] = []
        end = self.skip(at + 1)
        while not (self._text[end : end + 1] == "]" and not items):
            value, end = self.value(end, depth + 1)
            items.append(value)
            if (end := self._next(end, "]")) < 0:
                return Items(tuple(items), self.where(at)), -end
        return Items((), self.where(at)), end + 1

    def _next(self, at: int, last: str) -> int:
        """Where the next entry begins; where there is none any more, what follows the end, negative."""
        at = self.skip(at)
        if self._text[at : at + 1] == last:
            return -(at + 1)
        if self._text[at : at + 1] != ",":
            raise self.refused(at, f"a comma or {last} is wanted here")
        return self.skip(at + 1)
