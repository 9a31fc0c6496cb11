"""`sesmail map query`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TABLE = "/^(adam|jack)(\\+[^@]*)?@(example\\.com|my\\.fqdn)$/   ${1}\n/^[^@]*@example\\.com$/   ryan\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "table").write_text(TABLE)
    return tmp_path / "table"


def query(folder: Path, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "sesmail.cli.main", "map", "query", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_what_is_found_is_printed_and_what_is_not_is_left_out(table: Path, tmp_path: Path) -> None:
    addresses = ["adam@example.com", "jack+abc@my.fqdn", "ryan@example.com", "xyz@example.com", "ryan@my.fqdn"]
    said = "adam@example.com\tadam\njack+abc@my.fqdn\tjack\nryan@example.com\tryan\nxyz@example.com\tryan\n"
    assert query(tmp_path, "--table", f"pcre:{table}", *addresses) == (0, said, "")


def test_nothing_found_exits_with_1(table: Path, tmp_path: Path) -> None:
    assert query(tmp_path, "--table", f"pcre:{table}", "ryan@my.fqdn") == (1, "", "")


def test_the_configured_table_is_asked(table: Path, tmp_path: Path) -> None:
    (tmp_path / "sesmail.yaml").write_text(f"aliases:\n  map: regexp:{table}\n")
    assert query(tmp_path, "--config", "sesmail.yaml", "xyz@example.com") == (0, "xyz@example.com\tryan\n", "")


def test_without_a_table_it_says_how_to_name_one(tmp_path: Path) -> None:
    (tmp_path / "sesmail.yaml").write_text("log:\n  level: info\n")
    code, said, error = query(tmp_path, "--config", "sesmail.yaml", "a@x")
    assert (code, said, error) == (78, "", "sesmail.yaml: aliases.map: is not set; name a table with --table TYPE:PATH\n")


def test_a_table_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("/a/ b\n\n/(/ c\n")
    code, said, error = query(tmp_path, "--table", f"pcre:{tmp_path}/bad", "a@x")
    assert (code, said) == (78, "")
    assert error.startswith(f"{tmp_path}/bad:3: the regular expression is not understood: ")
    assert (
        query(tmp_path, "--table", f"pcre:{tmp_path}/none", "a@x")[2]
        == f"{tmp_path}/none: cannot be read: No such file or directory\n"
    )


def test_an_address_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "all").write_text("a\x1b[31m@x b\x1b[0m\n")
    assert query(tmp_path, "--table", f"hash:{tmp_path}/all", "a\x1b[31m@x") == (1, "", "")
    assert query(tmp_path, "--table", f"hash:{tmp_path}/all", "a@x")[0] == 1


@pytest.mark.parametrize("arguments", [[], ["--table", "pcre:/x"]])
def test_an_address_is_needed(arguments: list[str], tmp_path: Path) -> None:
    assert query(tmp_path, *arguments)[0] == 64
