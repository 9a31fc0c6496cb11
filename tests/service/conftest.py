"""One gateway with a page for all tests of a file, and two who are logged in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.browsing import Browser
from tests.service.house import ANN, TOM, House
from tests.service.pagehouse import logged_in, paged


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    with paged(tmp_path_factory.mktemp("page") / "house") as found:
        yield found


@pytest.fixture
def port(here: tuple[House, int]) -> int:
    return here[1]


@pytest.fixture
def tom(port: int) -> Browser:
    return logged_in(port, TOM)


@pytest.fixture
def ann(port: int) -> Browser:
    return logged_in(port, ANN)
