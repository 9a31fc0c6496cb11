"""One browser and one gateway for all; each test begins without a login."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.browser.pagehouse import House, opened
from tests.web.browser.webdriver import Browser, chromium

# Chromium tells of every answer that is an error, also where the page has understood it.
_EXPECTED = "Failed to load resource: the server responded with a status of"


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="session")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """No script of the page may fail, and it may ask for nothing that its policy forbids."""
    window.forget()
    window.shape(1100, 800)
    yield window
    assert [words for words in window.complaints() if _EXPECTED not in words] == []
