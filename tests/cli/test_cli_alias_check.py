"""`sesmail alias check` tells what would change for the aliases of another program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from sesmail.aliases.records import Alias, Domain
from sesmail.aliases.sqlite import SqliteTable


def checked(folder: Path, table: str = "sqlite") -> subprocess.CompletedProcess[str]:
    file = folder / "sesmail.yaml"
    file.write_text(
        f"""
storage: {{url: "file://{folder}"}}
mailboxes: {{domains: [example.com]}}
aliases: {{table: {table}, file: "{folder}/aliases.db", mailbox: tom@example.com}}
auth: {{checkers: [static], users: [{{name: tom@example.com, password: x}}]}}
routing: {{separators: ["+", "--", "#", "="]}}
tls: {{self_signed: true}}
"""
    )
    file.chmod(0o600)
    command = [sys.executable, "-m", "sesmail.cli.main", "alias", "check", "--config", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def table(tmp_path: Path) -> SqliteTable:
    made = SqliteTable(str(tmp_path / "aliases.db"))
    for domain in ("example.com", "shut.example"):
        made.add(Alias("shop", domain, ("S3",), str(uuid4())))
    return made


def test_nothing_changes_and_that_is_said(table: SqliteTable, tmp_path: Path) -> None:
    done = checked(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Mail goes where it went before.\n", "")


def test_each_change_is_a_line(table: SqliteTable, tmp_path: Path) -> None:
    table.add_domain(Domain("shut.example", active=False))
    done = checked(tmp_path)
    wanted = "shop@shut.example: mail was delivered and is refused (inactive)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, wanted, "")


def test_without_a_table_there_is_nothing_to_check(tmp_path: Path) -> None:
    done = checked(tmp_path, "none")
    assert done.returncode == 78
    assert "aliases.table: is none" in done.stderr
