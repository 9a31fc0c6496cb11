"""Secrets that lie elsewhere, and who else can read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sesmail.config.load import load
from sesmail.config.problems import BadValue
from sesmail.config.secrets import secret


def kept(path: Path, content: bytes, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return f"file:{path}"


@pytest.mark.parametrize("content", [b"horse", b"horse\n", b"horse\r\n"])
def test_a_file_holds_the_secret_and_perhaps_a_final_newline(content: bytes, tmp_path: Path) -> None:
    warnings: list[str] = []
    assert secret(kept(tmp_path / "secret", content), {}, warnings) == "horse"
    assert warnings == []


def test_blanks_belong_to_the_secret(tmp_path: Path) -> None:
    assert secret(kept(tmp_path / "secret", b" horse \n\n"), {}, []) == " horse \n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_warned_of(mode: int, tmp_path: Path) -> None:
    warnings: list[str] = []
    path = tmp_path / "secret"
    text = kept(path, b"horse", mode)
    if os.getuid() == 0:
        os.chown(path, 0, 0)
    assert secret(text, {}, warnings) == "horse"
    assert warnings == [f"{path}: holds a secret and can be read by others; chmod 600 it"]


@pytest.mark.parametrize("content", [b"", b"\n", b"a\0b", b"\xff", b"x" * 70_000])
def test_what_is_no_secret_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=str(tmp_path)):
        secret(kept(tmp_path / "secret", content), {}, [])


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secret")
    with pytest.raises(BadValue, match="Not a regular file"):
        secret(f"file:{tmp_path}/secret", {}, [])


@pytest.mark.parametrize("path", ["/a\0b", "/" + "x" * 5000, "/\ud800"])
def test_an_impossible_path_is_refused(path: str) -> None:
    with pytest.raises(BadValue):
        secret(f"file:{path}", {}, [])


def test_a_variable_holds_the_secret() -> None:
    assert secret("env:TOM", {"TOM": "horse\n"}, []) == "horse\n"
    with pytest.raises(BadValue, match="TOM is empty"):
        secret("env:TOM", {"TOM": ""}, [])


def test_a_credential_of_systemd_holds_the_secret(tmp_path: Path) -> None:
    kept(tmp_path / "tom", b"horse\n", 0o444)
    warnings: list[str] = []
    assert secret("credential:tom", {"CREDENTIALS_DIRECTORY": str(tmp_path)}, warnings) == "horse"
    assert warnings == []
    with pytest.raises(BadValue, match="No such file"):
        secret("credential:eve", {"CREDENTIALS_DIRECTORY": str(tmp_path)}, [])


def test_a_secret_that_points_nowhere_is_itself() -> None:
    assert secret("profile:horse", {}, []) == "profile:horse"


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o604, True)])
def test_a_configuration_with_a_secret_in_it_is_for_few_eyes(mode: int, warned: bool, tmp_path: Path) -> None:
    path = tmp_path / "sesmail.yaml"
    kept(path, b"auth: {users: [{name: tom@example.com, password: horse}]}", mode)
    warnings = load(str(path), {}).warnings
    assert warnings == ((f"{path}: holds a secret and can be read by others; chmod 600 it",) if warned else ())


def test_a_configuration_without_a_secret_may_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "sesmail.yaml"
    kept(path, b"auth: {users: [{name: tom@example.com, password: 'env:TOM'}]}", 0o644)
    assert load(str(path), {"TOM": "horse"}).warnings == ()
