"""The files of the page: they need nothing from elsewhere, and nothing that a strict policy forbids."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT

_PAGE = ROOT / "sesmail/web/page"
_FILES = sorted(path for path in _PAGE.rglob("*") if path.is_file())
_MODULES = sorted(_PAGE.glob("static/*.mjs"))
_STYLES = sorted(_PAGE.glob("static/*.css"))

_IMPORT = re.compile(r'^import (?:\{ ([^}]+) \} from )?"(.+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)
# Ways to make markup or code from text.
_SINKS = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser")


class Tags(HTMLParser):
    """Every tag of a document with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


_TAGS = Tags((_PAGE / "index.html").read_text()).found


def test_the_document_names_files_that_are_there() -> None:
    named = [attributes.get("href") or attributes.get("src") for tag, attributes in _TAGS if tag in ("link", "script")]
    assert len(named) > 5
    for name in named:
        assert name is not None
        assert (_PAGE / name).is_file(), name


def test_every_module_is_asked_for_at_once() -> None:
    # Else a browser learns of each from another one, and waits for all of them in turn.
    early = {attributes["href"] for tag, attributes in _TAGS if tag == "link" and attributes["rel"] == "modulepreload"}
    assert early == {f"static/{file.name}" for file in _MODULES} - {"static/start.mjs"}


def test_the_document_has_no_script_and_no_style_of_its_own() -> None:
    for tag, attributes in _TAGS:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag


@pytest.mark.parametrize("file", _FILES, ids=lambda path: str(path.name))
def test_nothing_comes_from_another_site(file: Path) -> None:
    text = file.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\((?!#)|@import|//cdn", text)


@pytest.mark.parametrize("file", _FILES, ids=lambda path: str(path.name))
def test_no_address_begins_at_the_top_of_the_host(file: Path) -> None:
    assert not re.search(r"""(?:href|src|fetch\(|from)\s*=?\s*["'`]/""", file.read_text())


@pytest.mark.parametrize("file", _MODULES, ids=lambda path: str(path.name))
def test_a_module_makes_no_markup_from_text(file: Path) -> None:
    assert not _SINKS.search(file.read_text())


@pytest.mark.parametrize("file", _MODULES, ids=lambda path: str(path.name))
def test_a_module_imports_what_there_is_and_uses_it(file: Path) -> None:
    text = file.read_text()
    for names, place in _IMPORT.findall(text):
        offered = set(_EXPORT.findall((file.parent / place).read_text()))
        for name in names.split(", "):
            assert name in offered, f"{place} has no {name}"
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is not used"


def test_all_that_is_exported_is_used() -> None:
    imported = {
        (place.removeprefix("./"), name)
        for file in _MODULES
        for names, place in _IMPORT.findall(file.read_text())
        for name in names.split(", ")
    }
    exported = {(file.name, name) for file in _MODULES for name in _EXPORT.findall(file.read_text())}
    # Given where tests want to know what chance brings.
    assert exported - imported == {("random.mjs", "below")}


@pytest.mark.parametrize("file", _STYLES, ids=lambda path: str(path.name))
def test_every_class_that_is_styled_is_given(file: Path) -> None:
    # Comments and numbers such as 1.5rem are no classes.
    styled = set(re.findall(r"\.([a-z][a-z-]*)", re.sub(r"/\*.*?\*/|\{[^{}]*\}", "{}", file.read_text(), flags=re.DOTALL)))
    given = " ".join(path.read_text() for path in (_PAGE / "index.html", *_MODULES))
    assert styled
    for name in styled:
        assert re.search(rf"""["' ]{name}["' ]""", given), name


def test_files_have_a_readable_length() -> None:
    assert {path.name: lines for path in _FILES if (lines := len(path.read_text().splitlines())) > 300} == {}
