"""Whatever a file or a variable holds: it is read, or refused by ConfigError, and never repeats a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sesmail.config.kinds import ListOf
from sesmail.config.load import load
from sesmail.config.option import options
from sesmail.config.problems import ConfigError
from sesmail.config.table import sections

SIGNS = "abn0129 :-#,[]{}&*!|>'\"%@`?~<=./\\\t\r\n\x00\x07\x85\ufeff\u2028é"
WORDS = st.text(SIGNS, max_size=30) | st.sampled_from(
    [
        "s3://b-b",
        "file:///m",
        "30s",
        "8 MiB",
        "true",
        "null",
        "never",
        "tcp:1",
        "haproxy:tcp:1",
        "%d/%u/",
        "env:X",
        "file:/",
        "any",
    ]
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "sesmail.yaml"


def loaded_or_refused(path: Path, octets: bytes, environ: dict[str, str] | None = None) -> None:
    path.write_bytes(octets)
    refusal = "refused"
    try:
        load(str(path), environ or {})
    except ConfigError as error:
        refusal = str(error)
    assert all(line and line.isprintable() for line in refusal.split("\n"))


def values(kind: Any) -> st.SearchStrategy[Any]:
    if hasattr(kind, "cls"):
        return entries(kind.cls) | WORDS
    if isinstance(kind, ListOf):
        return st.lists(values(kind.item), max_size=3) | WORDS
    return WORDS | st.none() | st.lists(WORDS, max_size=2) | st.integers() | st.booleans()


def entries(cls: type) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={key: values(one.metadata["kind"]) for key, one in options(cls).items()})


FILES = st.fixed_dictionaries({}, optional={name: entries(cls) for name, cls in sections().items()})


@given(octets=st.binary(max_size=200))
def test_any_octets_are_read_or_refused(path: Path, octets: bytes) -> None:
    loaded_or_refused(path, octets)


@given(text=st.text(SIGNS, max_size=200))
def test_any_text_is_read_or_refused(path: Path, text: str) -> None:
    loaded_or_refused(path, text.encode())


@given(file=FILES)
def test_any_values_of_known_keys_are_read_or_refused(path: Path, file: dict[str, Any]) -> None:
    loaded_or_refused(path, yaml.safe_dump(file).encode())


@given(section=st.sampled_from([*sections(), "x"]), text=st.text(SIGNS, max_size=80))
def test_any_text_in_a_section_is_read_or_refused(path: Path, section: str, text: str) -> None:
    loaded_or_refused(path, f"{section}: {text}\n".encode())


@given(data=st.data())
def test_any_variable_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    known = [f"SESMAIL__{name}__{key}".upper() for name, cls in sections().items() for key in options(cls)]
    environ = data.draw(st.dictionaries(st.sampled_from(known) | st.just("SESMAIL__X"), WORDS, max_size=4))
    loaded_or_refused(path, b"", environ)


@given(before=st.text("*&!%@`:|>?-#,[]{}'\"= ", max_size=4), after=st.text("*&!:|>?#,[]{}'\"= ", max_size=4))
def test_a_password_is_in_no_refusal(path: Path, before: str, after: str) -> None:
    path.write_text(
        f"auth:\n  users:\n    - name: tom@example.com\n      password: {before}hunter2{after}\n      nested: maybe\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(str(path), {})
    assert "hunter2" not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '"\\UFFFFFFFF"',
        "%YAML 9" + "9" * 5000 + ".1\n---\na",
        "%TAG ! tag:x,1:\n---\n!x",
        "!!python/object:os.system x",
        "? ? ? a",
    ],
)
def test_what_yaml_itself_stumbles_over_is_refused(text: str, path: Path) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError):
        load(str(path), {})
