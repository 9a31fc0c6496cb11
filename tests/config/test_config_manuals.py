"""The commented example file and the man page say what the table says, all of it."""

from __future__ import annotations

import re
from dataclasses import Field
from pathlib import Path
from typing import Any

import pytest

from sesmail.config.kinds import Entry, ListOf
from sesmail.config.load import load
from sesmail.config.option import options
from sesmail.config.problems import ConfigError
from sesmail.config.read import Reading
from sesmail.config.table import sections
from sesmail.config.tree import Mapping, Node, parse
from tests.config.manual import default, entry

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "etc" / "sesmail.yaml"
MANUAL = ROOT / "docs" / "sesmail.yaml.5.rst"
EXAMPLES = re.split(r"^# Example: ", EXAMPLE.read_text(), flags=re.MULTILINE)
HEAD = EXAMPLES.pop(0)


def uncommented() -> Node:
    """The file with every option that is shown, as if the admin had removed each # before one."""
    lines: list[str] = []
    within = False
    for line in HEAD.splitlines():
        within = bool(re.match(r"  #\w+:", line)) or (within and line.startswith("  #  "))
        lines.append(f"  {line[3:]}" if within else line)
    return parse("\n".join(lines), "sesmail.yaml")


def prose(text: str) -> str:
    return " ".join(re.sub(r"^ *# ?", "", line).strip() for line in text.splitlines())


def section_text(name: str) -> str:
    found = re.search(rf"^{name}:\n(.*?)(?=^\S|\Z)", HEAD, re.MULTILINE | re.DOTALL)
    assert found
    return prose(found[1])


def entries(name: str) -> list[tuple[str, Field[Any]]]:
    kinds = [one.metadata["kind"] for one in options(sections()[name]).values()]
    of_lists = [kind.item.cls for kind in kinds if isinstance(kind, ListOf) and isinstance(kind.item, Entry)]
    return [pair for cls in of_lists for pair in options(cls).items()]


def test_the_example_file_as_shipped_is_the_embedded_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped, without = load(str(EXAMPLE), {}), load(None, {})
    assert all(getattr(shipped, name) == getattr(without, name) for name in sections())
    assert shipped.warnings == ()


@pytest.mark.parametrize("name", sections())
def test_the_example_file_shows_every_option_in_order_with_its_default(name: str) -> None:
    tree = uncommented()
    assert isinstance(tree, Mapping)
    assert [key.text for key, _ in tree.entries] == list(sections())
    section = {key.text: node for key, node in tree.entries}[name]
    assert isinstance(section, Mapping)
    assert [key.text for key, _ in section.entries] == list(options(sections()[name]))
    reading = Reading({})
    assert reading.record(section, sections()[name], name) == sections()[name]()
    assert reading.problems == []


@pytest.mark.parametrize("name", sections())
def test_the_example_file_says_every_sentence(name: str) -> None:
    text = section_text(name)
    for key, one in options(sections()[name]).items():
        assert one.metadata["sentence"] in text, key
    for key, one in entries(name):
        assert f"{key} ({default(one)}): {one.metadata['sentence']}" in text


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.partition("\n")[0] for text in EXAMPLES])
def test_every_example_is_a_good_configuration(example: str, tmp_path: Path) -> None:
    path = tmp_path / "sesmail.yaml"
    path.write_text("\n".join(line[3:] for line in example.splitlines() if line.startswith("#   ")) + "\n")
    try:
        load(str(path), {"REPORTS_PASSWORD": "x"})
    except ConfigError as error:
        # Only what cannot be here may be missing: the files that the example names.
        missing = ("does not exist", "No such file", "CREDENTIALS_DIRECTORY is not set; systemd sets it for LoadCredential=")
        problems = [str(problem) for problem in error.problems if not problem.message.endswith(missing)]
    else:
        problems = []
    assert path.stat().st_size > 50
    assert problems == []


def test_the_man_page_says_what_the_table_says() -> None:
    text = MANUAL.read_text()
    tables = [list(options(cls).items()) for cls in sections().values()] + [entries(name) for name in sections()]
    for table in tables:
        for key, one in table:
            assert entry(key, one) in text
    said = re.findall(r"^``(\w+)`` \(", text, re.MULTILINE)
    assert sorted(said) == sorted(key for table in tables for key, _ in table)


def test_the_man_page_of_the_command_names_every_subcommand() -> None:
    from sesmail.cli.main import COMMANDS

    text = (ROOT / "docs" / "sesmail.8.rst").read_text()
    for command in COMMANDS:
        assert f"\n**{command.name}**" in text
        assert f"    {command.sentence}\n" in text
