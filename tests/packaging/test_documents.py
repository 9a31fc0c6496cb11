"""What README.rst tells people to do works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sesmail.cli.demo import text
from sesmail.cli.main import parser
from sesmail.config.load import load
from sesmail.service.demo import Demo
from tests.packaging.tree import ROOT
from tests.servers.certificates import Authority

_README = (ROOT / "README.rst").read_text()


def literal(start: str) -> str:
    """The indented block of README.rst that begins with `start`, without its indentation."""
    found = re.search(rf"^    {re.escape(start)}.*(?:\n(?:    .*)?)*", _README, re.MULTILINE)
    assert found is not None
    return re.sub("^    ", "", found[0], flags=re.MULTILINE).strip() + "\n"


def test_the_first_two_commands_are_demo_and_test() -> None:
    commands = re.findall(r"^    (\S.*)$", _README, re.MULTILINE)
    assert [line for line in commands if line.startswith("make ")] == ["make demo", "make test"]
    assert commands[0] == "make demo"


def one_line(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())


@pytest.mark.parametrize("start", ["curl ", "printf "])
def test_the_demo_prints_the_line_shown(start: str) -> None:
    arguments = parser().parse_args(["demo"])
    demo = Demo(
        ROOT / arguments.directory,
        arguments.port,
        arguments.tls_port,
        arguments.submission_port,
        arguments.submission_tls_port,
    )
    assert one_line(literal(start)) in one_line(text(demo).replace(f"{ROOT}/", ""))


def test_the_configuration_shown_is_a_good_one(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("mail.example.com")
    files = {"fullchain.pem": issued.certificate, "privkey.pem": issued.key}
    file = tmp_path / "sesmail.yaml"
    file.write_text(re.sub(r"/etc/letsencrypt/\S*/(\S+)", lambda match: str(files[match[1]]), literal("storage:")))
    config = load(str(file), {})
    assert config.storage.url == "s3://example-mail"
    for listeners in (config.pop3.listeners, config.submission.listeners):
        assert [listener.tls for listener in listeners] == ["implicit", "starttls"]


@pytest.mark.parametrize("line", re.findall(r"^    /opt/sesmail/bin/sesmail (.+)$", _README, re.MULTILINE))
def test_the_commands_shown_are_commands(line: str) -> None:
    assert parser().parse_args(line.split()).command == line.split()[0]


@pytest.mark.parametrize("target", re.findall(r"<([^>]+)>`_", _README))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
