"""What docs/receiving.rst shows can be used as it stands."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from sesmail.assembly.routing import bad_targets
from sesmail.assembly.sorting import receiving
from sesmail.cli.main import parser
from sesmail.config.load import from_text
from sesmail.delivery.plan import Forward, Lmtp, Mailbox, Maildir, Pipe
from tests.packaging.tree import ROOT

_PAGE = (ROOT / "docs/receiving.rst").read_text()
_BLOCKS = [re.sub("^    ", "", block, flags=re.MULTILINE) for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", _PAGE)]
_FILES = [block for block in _BLOCKS if block.startswith("storage:")]
_COMMANDS = [line for block in _BLOCKS for line in block.splitlines() if line.startswith("sesmail ")]


@pytest.mark.parametrize("text", _FILES)
def test_a_configuration_shown_is_a_good_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("right horse\n")
    (tmp_path / "password").chmod(0o600)
    text = text.replace("/etc/sesmail/sns-password", str(tmp_path / "password"))
    config = from_text(f"{text}\ntls: {{self_signed: true}}\n", "receiving.rst", {"HOME": str(tmp_path)})
    assert list(bad_targets(config)) == []
    assert [one for one in config.warnings if "routing" in one or "incoming" in one] == []


@pytest.mark.parametrize("line", _COMMANDS)
def test_a_command_shown_is_a_command(line: str) -> None:
    assert parser().parse_args(line.split()[1:]).command == line.split()[1]


def test_there_are_configurations_and_commands() -> None:
    assert (len(_FILES), len(_COMMANDS)) == (5, 8)


@pytest.mark.parametrize("target", re.findall(r"<([^<>]+\.rst)>`_", _PAGE))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / "docs" / target).exists()


def test_addresses_lead_where_the_page_says(tmp_path: Path) -> None:
    (text,) = [text for text in _FILES if "catch_all" in text]
    (tmp_path / "mailboxes/example.com").mkdir(parents=True)
    (tmp_path / "mailboxes/example.com/passwd.txt").write_text("tom:x\nann:x\n")
    text = text.replace("s3://example-mail", f"file://{tmp_path}") + "tls: {self_signed: true}\n"
    routing = receiving(from_text(text, "receiving.rst", {"HOME": str(tmp_path)}), ExitStack()).routing

    def kinds(address: str) -> list[str]:
        places = [step.destination for step in routing.plan("jack@example.net", (address,)).steps]
        return [one.place.prefix if isinstance(one, Mailbox) else type(one).__name__ for one in places]

    tom, ann = "mailboxes/example.com/tom/", "mailboxes/example.com/ann/"
    assert kinds("sales+x@example.net") == [tom, ann, Forward.__name__]
    assert kinds("lists@example.com") == [Maildir.__name__]
    assert kinds("tickets@example.com") == [Pipe.__name__]
    assert kinds("boss@example.com") == [Lmtp.__name__]
    assert kinds("anybody@example.com") == [tom]
    assert kinds("spam-trap@example.com") == ["Drop"]
