"""YAML text as a tree of text, lists and mappings that knows the line of everything. PyYAML is imported only when it is needed.

Scalars stay the text that was written; which type it is, the option says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sesmail.config.problems import ConfigError, Problem, Where

if TYPE_CHECKING:
    import yaml

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")}


@dataclass(frozen=True)
class Scalar:
    """Text as written; None where nothing (or ``null``, unquoted) was written. `plain`: written without quotes."""

    text: str | None
    where: Where
    plain: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    where: Where


@dataclass(frozen=True)
class Mapping:
    """Keys in order, each with its own spot; a key may occur twice."""

    entries: tuple[tuple[Scalar, Node], ...]
    where: Where


Node = Scalar | Items | Mapping


def parse(text: str, source: str, *, lines: bool = True) -> Node:
    """The tree of one YAML document; an empty one is a Scalar of None. `lines`: whether spots have line numbers.

    Raises ConfigError for what is no YAML; the error repeats nothing of the text, which may hold secrets.
    """
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return Scalar(None, Where(source)) if root is None else _Grower(source, lines).grow(root)
    except yaml.MarkedYAMLError as exc:
        where = Where(source, exc.problem_mark.line + 1 if lines and exc.problem_mark else None)
        raise _refusal(where, _without_text(exc)) from None
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise _refusal(Where(source, line if lines else None), "a control character, which YAML does not allow") from None
    except RecursionError:
        raise _refusal(Where(source), "nested too deeply") from None
    except (ValueError, OverflowError):
        # PyYAML lets int() and chr() fail on absurd directives and escapes.
        raise _refusal(Where(source), "a number out of range") from None


class _Grower:
    """Turns PyYAML's nodes into ours. A node that several aliases point to is turned once, so that aliases cannot explode."""

    def __init__(self, source: str, lines: bool) -> None:
        self._source = source
        self._lines = lines
        self._grown: dict[int, Node | None] = {}

    def grow(self, node: yaml.Node) -> Node:
        if id(node) not in self._grown:
            self._grown[id(node)] = None
            self._grown[id(node)] = self._new(node, Where(self._source, node.start_mark.line + 1 if self._lines else None))
        grown = self._grown[id(node)]
        if grown is None:
            raise _refusal(
                Where(self._source, node.start_mark.line + 1 if self._lines else None), "an anchor that holds itself"
            )
        return grown

    def _new(self, node: yaml.Node, where: Where) -> Node:
        from yaml.nodes import MappingNode, ScalarNode, SequenceNode

        if isinstance(node, SequenceNode):
            return Items(tuple(map(self.grow, node.value)), where)
        if isinstance(node, MappingNode):
            return Mapping(tuple((self._key(key), self.grow(value)) for key, value in node.value), where)
        if node.tag not in _PLAIN_TAGS:
            raise _refusal(where, "a tag (!...), which is not used here; a value that begins with ! must be quoted")
        return Scalar(
            None if node.tag == "tag:yaml.org,2002:null" else node.value,
            where,
            plain=isinstance(node, ScalarNode) and node.style is None,
        )

    def _key(self, node: yaml.Node) -> Scalar:
        key = self.grow(node)
        if not isinstance(key, Scalar):
            raise _refusal(key.where, "a list or a mapping where a key should be")
        return key


def _refusal(where: Where, what: str) -> ConfigError:
    return ConfigError([Problem(where, "", f"not valid YAML: {what}")])


def _without_text(exc: yaml.MarkedYAMLError) -> str:
    said = ", ".join(part for part in (exc.context, exc.problem) if part)
    # For these alone PyYAML repeats what was written, and an unquoted password may begin with "*", "&" or "!".
    if any(word in said for word in ("alias", "anchor", "tag")):
        return "a value that begins with *, & or ! must be quoted"
    return said or "cannot be read"
