"""JSON with lines and columns: whatever the standard library reads is read alike, and everything else is refused where it is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.config.jsontree import parse
from sesmail.config.problems import ConfigError
from sesmail.config.tree import Items, Mapping, Node, Scalar

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def plain(node: Node) -> Any:
    if isinstance(node, Items):
        return [plain(one) for one in node.items]
    if isinstance(node, Mapping):
        return {key.text: plain(value) for key, value in node.entries}
    return json.loads(node.text) if node.plain and node.text is not None else node.text


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_what_is_json_is_read_as_it_is(value: Any, indent: int | str | None, escaped: bool) -> None:
    assert plain(parse(json.dumps(value, indent=indent, ensure_ascii=escaped), "x")) == value


@given(st.text(alphabet='{}[],:"\\ ua1-.etrulfans/\n', max_size=30))
def test_what_is_none_is_refused(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(ConfigError):
            parse(text, "x")
    else:
        parse(text, "x")


def test_everything_has_its_line_and_column() -> None:
    tree = parse('{"a": 1,\n  "b": ["x"]}', "file")
    assert isinstance(tree, Mapping)
    (_, one), (key, items) = tree.entries
    assert isinstance(items, Items)
    assert [str(node.where) for node in (tree, one, key, items, items.items[0])] == [
        "file:1:1",
        "file:1:7",
        "file:2:3",
        "file:2:8",
        "file:2:9",
    ]
    assert isinstance(one, Scalar)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1 // no\n}', "x:1:9: not valid JSON: a comment, which JSON does not have"),
        ('{"a": "1"\n "b": 2}', "x:2:2: not valid JSON: a comma or } is wanted here"),
        ('{"a": "secret', "x:1:7: not valid JSON: a string without end, or with something in it that must be escaped"),
        ("[1,]", "x:1:4: not valid JSON: a value is wanted here"),
        ('{"a" 1}', "x:1:6: not valid JSON: a colon is wanted here"),
        ("{a: 1}", "x:1:2: not valid JSON: a key in double quotes is wanted here"),
        ("1 2", "x:1:3: not valid JSON: something follows the end"),
        ("[" * 100, "x:1:66: not valid JSON: nested too deeply"),
        ("", "x:1:1: not valid JSON: a value is wanted here"),
    ],
)
def test_a_mistake_is_told_where_it_is(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "x")
    assert str(caught.value) == said
