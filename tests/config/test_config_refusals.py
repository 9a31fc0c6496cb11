"""Each broken file in `bad/` is refused with exactly the lines beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesmail.config.load import load
from sesmail.config.problems import ConfigError

BAD = Path(__file__).parent / "bad"
NAMES = sorted(path.stem for path in BAD.glob("*.yaml"))


def test_every_broken_file_has_its_text() -> None:
    assert sorted(path.stem for path in BAD.glob("*.expected")) == NAMES
    assert len(NAMES) > 80


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_refused_with_file_line_key_and_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(ConfigError) as caught:
        load(f"{name}.yaml", {})
    assert str(caught.value) + "\n" == (BAD / f"{name}.expected").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_repeats_no_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(ConfigError) as caught:
        load(f"{name}.yaml", {})
    for secret in ("verysecret", "horse", "battery"):
        assert secret not in repr(caught.value) + str(caught.value)


def test_a_file_that_is_named_but_missing_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load("/nonexistent/sesmail.yaml", {})
    assert str(caught.value) == "/nonexistent/sesmail.yaml: cannot be read: No such file or directory"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(str(tmp_path), {})
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load("/dev/zero", {})
    assert str(caught.value) == "/dev/zero: too long for a configuration"


def test_a_problem_has_its_parts() -> None:
    with pytest.raises(ConfigError) as caught:
        load(str(BAD / "unknown-key.yaml"), {})
    (problem,) = caught.value.problems
    assert (problem.where.source, problem.where.line) == (str(BAD / "unknown-key.yaml"), 2)
    assert (problem.key, problem.message, problem.near) == ("pop3.stal", "unknown key", "stall")


def test_a_problem_is_one_line_whatever_the_key_holds(tmp_path: Path) -> None:
    path = tmp_path / "sesmail.yaml"
    path.write_text('"pop3\\nevil\\e[31m\\ud800": 1\n')
    with pytest.raises(ConfigError) as caught:
        load(str(path), {})
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).isprintable()
