"""The table in SQLite keeps what every table promises, in a file of its own format."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sesmail.aliases.sqlite import FORMAT, SqliteTable
from sesmail.errors import Limited, Malformed, Unavailable
from tests.aliases.table_contract import TableContract, alias


class TestSqliteTable(TableContract):
    @pytest.fixture
    def spec(self, tmp_path: Path) -> str:
        return f"sqlite:{tmp_path}/state/aliases.db"


def test_what_was_added_outlives_the_process(tmp_path: Path) -> None:
    program = f"""
import os
from sesmail.aliases.records import Alias
from sesmail.aliases.sqlite import SqliteTable
SqliteTable("{tmp_path}/aliases.db").add(Alias("bob", "example.com", ("S3",), "id"))
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    table = SqliteTable(f"{tmp_path}/aliases.db")
    assert table.get("bob", "example.com") is not None
    table.close()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    table = SqliteTable(f"{tmp_path}/state/aliases.db")
    table.add(alias())
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    table.close()
    assert modes == {"aliases.db": 0o600, "aliases.db-wal": 0o600, "aliases.db-shm": 0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert os.listdir(tmp_path / "state") == ["aliases.db"]


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "aliases.db"
    SqliteTable(str(path)).close()
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {FORMAT + 1}")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(Malformed, match=f"newer sesmail: its format is {FORMAT + 1}, this one knows {FORMAT}"):
        SqliteTable(str(path))
    assert path.read_bytes() == before


def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(Malformed, match="is the file of another program"):
        SqliteTable(str(path))
    assert path.read_bytes() == before


def test_what_is_no_sqlite_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("hello\n" * 1000)
    with pytest.raises(Malformed, match="is no SQLite file, or it is broken"):
        SqliteTable(str(path))
    assert path.read_text() == "hello\n" * 1000


def test_a_folder_in_place_of_the_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        SqliteTable(str(tmp_path))


def test_many_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    program = f"""
from sesmail.aliases.sqlite import SqliteTable
SqliteTable("{tmp_path}/aliases.db").get("a", "example.com")
"""
    started = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(6)]
    assert [process.wait(60) for process in started] == [0] * 6


def test_a_second_table_in_one_process_takes_no_lock_from_the_first(tmp_path: Path) -> None:
    # Whoever closes any descriptor of a file gives up all locks that his process has on it, and the last one to close a file of SQLite
    # deletes its log: https://www.sqlite.org/howtocorrupt.html section 2.2.
    path = f"{tmp_path}/aliases.db"
    first = SqliteTable(path)
    first.add(alias("one@example.com"))
    second = SqliteTable(path)
    program = f"""
from sesmail.aliases.sqlite import SqliteTable
SqliteTable("{path}").close()
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert (tmp_path / "aliases.db-wal").exists()
    first.add(alias("two@example.com"))
    for table in (second, first):
        assert table.get("two", "example.com") is not None
        table.close()


def test_a_full_disk_is_said_to_be_one_and_nothing_is_half_written(tmp_path: Path) -> None:
    table = SqliteTable(f"{tmp_path}/aliases.db")
    table._file._writer.execute("PRAGMA max_page_count = 12")
    added = (table.add(alias(f"a{number}@example.com", description="x" * 900)) for number in range(1000))
    with pytest.raises(Limited, match="room"):
        list(added)
    assert table.get("a0", "example.com") is not None
    table._file._writer.execute("PRAGMA max_page_count = 1000")
    assert table.add(alias("later@example.com")).version == 1
    table.close()
