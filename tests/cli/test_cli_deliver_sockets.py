"""The sockets that `sesmail deliver` finds in a configuration before it reads all of it: those that the whole names, and nothing costly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sesmail.cli.deliversockets import sockets, unix_socket
from sesmail.config.problems import ConfigError


def _found(tmp_path: Path, text: str, **environ: str) -> list[str]:
    file = tmp_path / "sesmail.yaml"
    file.write_text(text)
    return list(sockets(str(file), environ))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "lmtp: {listeners: [{endpoint: 'unix:/run/a'}, {endpoint: 'tcp:24'}, {endpoint: 'unix:address=/run/b:mode=660'}]}",
            ["/run/a", "/run/b"],
        ),
        ("lmtp: {listeners: [{endpoint: 'unix:/run/a', tls: none}, {endpoint: 'unix:/run/b', tls: starttls}]}", ["/run/a"]),
        ("lmtp: {listeners: [{endpoint: 'unix:run/a'}, 7, {tls: none}, {endpoint: [a]}]}", []),
        ("lmtp: {listeners: 7}", []),
        ("lmtp: [7]", []),
        ("7", []),
        ("", []),
        ("pop3: {listeners: [{endpoint: 'unix:/run/a'}]}", []),
    ],
)
def test_they_are_the_unix_sockets_without_tls_of_lmtp_alone(tmp_path: Path, text: str, found: list[str]) -> None:
    assert _found(tmp_path, text) == found


def test_where_the_environment_stands_over_the_file_it_is_not_believed(tmp_path: Path) -> None:
    text = "lmtp: {listeners: [{endpoint: 'unix:/run/a'}]}"
    assert _found(tmp_path, text, SESMAIL__POP3__IDLE="60") == ["/run/a"]
    assert _found(tmp_path, text, SESMAIL__LMTP__LISTENERS="[]") == []


def test_the_file_is_that_of_the_search_order_where_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / ".config" / "sesmail" / "sesmail.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("lmtp: {listeners: [{endpoint: 'unix:/run/own'}]}")
    if not Path("/etc/sesmail/sesmail.yaml").exists():
        assert list(sockets(None, {"HOME": str(tmp_path)})) == ["/run/own"]
        assert list(sockets(None, {})) == []


@pytest.mark.parametrize("text", ["lmtp: [", "\0"])
def test_what_is_no_yaml_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        _found(tmp_path, text)


def test_of_an_endpoint_the_path_is_taken() -> None:
    assert [unix_socket(one) for one in ("unix:/a", "unix:address=/a", "unix:a", "tcp:24", "")] == ["/a", "/a", "", "", ""]


def test_the_table_of_all_options_is_not_imported_for_them() -> None:
    code = "import sys, sesmail.cli.delivering, sesmail.cli.deliversockets; print('sesmail.config.option' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout == "False\n"
    )
