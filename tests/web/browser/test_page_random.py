"""The modules of the page that only reckon, asked one by one in the browser they run in."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.web.browser.pagehouse import House
from tests.web.browser.webdriver import Browser


@pytest.fixture
def page(browser: Browser, house: House) -> Browser:
    browser.go(house.url)
    browser.field("User name")
    return browser


def reckoned(page: Browser, module: str, expression: str, *given: Any) -> Any:
    """What an expression over the exports `m` of a module gives; `given` is called `a`."""
    return page.run(
        f"const a = arguments[1]; return import(arguments[0]).then((m) => {expression})", f"{page.url}static/{module}", given
    )


def test_names_are_two_words_and_seldom_the_same(page: Browser) -> None:
    names = reckoned(page, "random.mjs", "Array.from({ length: 1000 }, () => m.suggestion(''))")
    assert all(re.fullmatch(r"[a-z]{2,10}-[a-z]{2,10}", name) for name in names)
    assert len(set(names)) > 900


@pytest.mark.parametrize(("typed", "before"), [("shop.", "shop"), ("shop.old1", "shop"), ("a.b.c", "a")])
def test_what_stands_before_a_dot_stays(page: Browser, typed: str, before: str) -> None:
    assert re.fullmatch(rf"{before}\.[0-9a-z]{{4}}", reckoned(page, "random.mjs", "m.suggestion(a[0])", typed))


@pytest.mark.parametrize("typed", ["", ".", ".x", "shop"])
def test_where_nothing_stands_before_a_dot_there_are_two_words(page: Browser, typed: str) -> None:
    assert re.fullmatch(r"[a-z]+-[a-z]+", reckoned(page, "random.mjs", "m.suggestion(a[0])", typed))


def test_every_number_is_as_likely(page: Browser) -> None:
    # 2**32 is 4 more than a multiple of 36: the last 4 numbers that are drawn must be drawn again.
    drawn = reckoned(
        page, "random.mjs", "{ const all = [2**32 - 1, 2**32 - 4, 2**32 - 5, 0]; return m.below(36, () => all.shift()); }"
    )
    assert drawn == 35


def test_sizes_are_told_in_the_unit_that_fits(page: Browser) -> None:
    sizes = reckoned(page, "words.mjs", "a.map(m.size)", 0, 1, 999, 1000, 1_250_000, 99_900_000)
    assert [re.sub(r"\s", " ", size) for size in sizes] == ["0 bytes", "1 byte", "999 bytes", "1 kB", "1.3 MB", "100 MB"]


def test_several_addresses_may_stand_in_a_field(page: Browser) -> None:
    assert reckoned(page, "words.mjs", "m.several(a[0])", " a@b.c,  d@e.f;\tg@h.i ") == ["a@b.c", "d@e.f", "g@h.i"]
