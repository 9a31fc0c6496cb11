"""What a table of another program changes is logged at the first start, and not again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sesmail.config.load import from_text
from sesmail.config.table import Config
from sesmail.errors import Unavailable
from sesmail.service.firstlook import LINES, look
from tests.assembly.test_aliases_of_config import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.end.close()


def config(folder: Path, table: str = "theirs") -> Config:
    text = f"""
storage: {{url: "file://{folder}/store"}}
aliases: {{table: dynamodb, dynamodb_table: {table}, mailbox: tom}}
mailboxes: {{domains: [example.com]}}
routing: {{separators: ["+", "--", "#", "="]}}
service: {{state_dir: "{folder}"}}
tls: {{self_signed: true}}
"""
    return from_text(text, "test", {"HOME": str(folder)})


_LOG = "sesmail.service.firstlook"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == _LOG]


def test_each_change_is_logged_once_for_each_table(house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house.alias("old@shop.example", "gone@example.com")
    for table in ("theirs", "theirs", "other"):
        look(config(tmp_path, table), house.table)
    said = "old@shop.example: mail was delivered and is refused (unknown-recipient)"
    assert told(caplog) == [f"aliases of theirs: {said}", f"aliases of other: {said}"]


def test_a_large_table_does_not_fill_the_log(house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(LINES + 5):
        house.alias(f"old{number}@shop.example", "friend@else.example")
    look(config(tmp_path), house.table)
    assert len(told(caplog)) == LINES + 1
    assert "5 more changes" in told(caplog)[-1]


def test_a_table_that_cannot_be_asked_is_looked_at_again(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house.alias("old@shop.example", "gone@example.com")
    house.end.close()
    with pytest.raises(Unavailable):
        look(config(tmp_path), house.table)
    again = House(tmp_path / "again")
    again.alias("old@shop.example", "gone@example.com")
    look(config(tmp_path), again.table)
    again.end.close()
    assert len(told(caplog)) == 1
