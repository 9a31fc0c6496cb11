"""One domain or one destination is found without looking through all of them, in every table alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesmail.aliases.cached import Cached
from sesmail.aliases.records import DestinationRecord, Domain
from sesmail.aliases.table import Known
from tests.aliases.tables import new_dynamodb, opened


@pytest.fixture(params=["sqlite", "dynamodb", "cached"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Known:
    made = opened(new_dynamodb() if request.param == "dynamodb" else f"sqlite:{tmp_path / 'aliases.db'}")
    for name, active in (("example.com", True), ("shut.example", False)):
        made.add_domain(Domain(name, active))
        made.add_destination(DestinationRecord(f"tom@{name}", active))
    return Cached(made, seconds=60, now=lambda: 0.0) if request.param == "cached" else made


def test_a_row_is_found_by_its_name(table: Known) -> None:
    for name, active in (("example.com", True), ("shut.example", False)):
        domain, destination = table.domain(name), table.destination(f"tom@{name}")
        assert domain is not None
        assert destination is not None
        assert (domain.name, domain.active) == (name, active)
        assert (destination.address, destination.active) == (f"tom@{name}", active)


def test_what_is_not_there_is_not_found(table: Known) -> None:
    assert table.domain("other.example") is None
    assert table.destination("ann@example.com") is None
