"""What docs/aws.rst shows can be used as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sesmail.aws.template import source, template
from sesmail.cli.main import parser
from sesmail.config.load import load
from tests.aws.cloudformation import parsed
from tests.packaging.tree import ROOT
from tests.servers.certificates import Authority

_PAGE = (ROOT / "docs/aws.rst").read_text()
_COMMANDS = re.findall(r"^    (sesmail .*)$", _PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", _COMMANDS)
def test_the_commands_shown_are_understood(line: str) -> None:
    arguments = shlex.split(line.partition(">")[0])
    assert parser().parse_args(arguments[1:]).command == arguments[1]


def test_the_commands_are_those_for_aws() -> None:
    assert {line.split()[1] for line in _COMMANDS} == {"cfn", "dns", "iam-policy"}


def test_every_parameter_is_explained_with_its_default() -> None:
    rows = re.findall(r"^``(\w+)``\s{2,}(\S.*?)\s{2,}\S", _PAGE, re.MULTILINE)
    told = dict(rows)
    parameters = parsed(template(["example.com"]))["Parameters"]
    assert set(told) == set(parameters)
    for name, given in told.items():
        default = parameters[name]["Default"]
        assert given.strip("`") == default or not default, name


def test_outputs_that_are_named_are_there() -> None:
    outputs = set(parsed(source())["Outputs"])
    named = set(re.findall(r"OutputKey=='(\w+)'", _PAGE)) | set(re.findall(r"``(\w+(?:Name|Arn|Url))``", _PAGE))
    assert named
    assert named <= outputs


def test_the_configuration_shown_is_a_good_one(tmp_path: Path) -> None:
    found = re.search(r"\.\. code-block:: yaml\n\n((?:    .*\n|\n)+)", _PAGE)
    assert found is not None
    issued = Authority(tmp_path).issue("mx.example.com")
    files = {"fullchain.pem": issued.certificate, "privkey.pem": issued.key}
    text = re.sub("^    ", "", found[1], flags=re.MULTILINE)
    file = tmp_path / "sesmail.yaml"
    file.write_text(re.sub(r"/etc/letsencrypt/\S*/(\S+)", lambda match: str(files[match[1]]), text))
    config = load(str(file), {})
    assert config.queue.url is not None
    assert config.queue.dead_letter_url is not None
