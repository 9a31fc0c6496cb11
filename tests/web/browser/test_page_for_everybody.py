"""The page can be used by people who cannot see it, hold no mouse, or have a small screen: on every view, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.stores import DOMAIN, PASSWORD
from tests.web.browser.pagehouse import BOSS, TOM, House
from tests.web.browser.steps import find, log_in
from tests.web.browser.webdriver import ENTER, ESCAPE, SPACE, TAB, Browser

_AXE = Path(__file__).parents[3] / ".venv-tools/node_modules/axe-core/axe.min.js"
_LOOK = """
return axe.run(document).then(({ violations, passes }) => [
    passes.length,
    violations.map(({ help, nodes }) => help + ": " + nodes.map(({ html }) => html.slice(0, 120)).join(" | ")),
]);
"""


def as_nobody(browser: Browser, house: House) -> None:
    browser.go(house.url)
    browser.field("User name")


def refused(browser: Browser, house: House) -> None:
    as_nobody(browser, house)
    browser.press("Log in")
    browser.sees("Please fill this in.")


def listed(browser: Browser, house: House) -> None:
    log_in(browser, house.url, BOSS)
    find(browser, *(f"for-everybody{end}@{DOMAIN}" for end in ("", "-dead", "-drop")), text="for-everybody")
    browser.run("document.querySelectorAll('.row details').forEach((one) => { one.open = true; })")


def made(browser: Browser, house: House) -> None:
    listed(browser, house)
    browser.press("New address")
    browser.press("Create")
    browser.sees("Please fill this in.")


def edited(browser: Browser, house: House) -> None:
    listed(browser, house)
    browser.run("[...document.querySelectorAll('.row button')].find((one) => one.textContent === 'Rename or edit').click()")
    browser.field("Name before the @")


def large(browser: Browser, house: House) -> None:
    listed(browser, house)
    browser.run("[...document.querySelectorAll('.row button')].find((one) => one.textContent === 'Show large').click()")
    browser.find("dialog.large[open]")


def removed(browser: Browser, house: House) -> None:
    listed(browser, house)
    browser.run("[...document.querySelectorAll('.row button')].find((one) => one.textContent === 'Remove').click()")
    browser.sees("Removed")


def put_back(browser: Browser) -> None:
    if browser.run("return document.querySelector('.way-back button') !== null"):
        browser.press("Undo")
        browser.sees("is back.")


def domains(browser: Browser, house: House) -> None:
    log_in(browser, f"{house.url}#/domains", BOSS)
    browser.find(".row")


def destinations(browser: Browser, house: House) -> None:
    log_in(browser, f"{house.url}#/destinations", BOSS)
    browser.find(".row")


def mailbox(browser: Browser, house: House) -> None:
    log_in(browser, f"{house.url}#/mailbox", BOSS)
    browser.sees("waiting for your mail program")


VIEWS = (as_nobody, refused, listed, made, edited, large, removed, domains, destinations, mailbox)
every_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: str(view.__name__))


@pytest.fixture(scope="module", autouse=True)
def _furnished(house: House) -> None:
    house.alias("for-everybody", description="A description")
    house.alias("for-everybody-dead", active=False)
    house.alias("for-everybody-drop", ignore=True)
    with house.asked_by(BOSS) as boss:
        boss.ask("POST", "api/v1/destinations", {"address": "somebody@example.net", "verified": True})
        boss.ask("POST", "api/v1/domains", {"name": "side.example.com", "active": False, "description": "Not now"})


@every_view
def test_axe_finds_nothing_in_light_and_dark(browser: Browser, house: House, view: Callable[[Browser, House], None]) -> None:
    view(browser, house)
    browser.run(_AXE.read_text())
    for dark in (False, True):
        browser.shape(1100, 800, dark=dark)
        passed, violations = browser.run(_LOOK)
        assert violations == []
        assert passed > 10
    put_back(browser)


_STICKS_OUT = """
return [...document.querySelectorAll("button, a, input, select, h1, h2, p, dd")]
    .filter((one) => one.checkVisibility() && !one.matches(".unseen, .unseen *, .skip"))
    .filter((one) => { const { left, right } = one.getBoundingClientRect(); return left < 0 || right > 360; })
    .map((one) => one.outerHTML)
"""
# WCAG 2.2, 2.5.8: 24 by 24 pixels. A box to be ticked is as large as its label.
_TOO_SMALL = """
return [...document.querySelectorAll("button, nav a, input:not([type=checkbox]), select, summary")]
    .filter((one) => one.checkVisibility())
    .filter((one) => { const { width, height } = one.getBoundingClientRect(); return Math.min(width, height) < 24; })
    .map((one) => one.outerHTML)
"""


@every_view
def test_a_window_of_360_pixels_has_room_for_all_and_for_thumbs(
    browser: Browser, house: House, view: Callable[[Browser, House], None]
) -> None:
    browser.shape(360, 740)
    view(browser, house)
    assert browser.run("return document.documentElement.scrollWidth") == 360
    assert browser.run(_STICKS_OUT) == []
    assert browser.run(_TOO_SMALL) == []
    put_back(browser)


def tab_to(browser: Browser, name: str) -> None:
    for _ in range(40):
        browser.keys(TAB)
        if browser.focused() == name:
            return
    raise AssertionError(f"no Tab leads to {name}")


def test_everything_is_done_without_a_mouse(browser: Browser, house: House) -> None:
    browser.go(house.url)
    browser.until(lambda: browser.focused() == "User name", "the login does not wait for a name")
    browser.keys(*TOM, TAB, *PASSWORD, ENTER)
    browser.named("button", "New address")
    tab_to(browser, "New address")
    browser.keys(ENTER)
    browser.until(lambda: browser.focused() == "Name before the @", "the form does not wait for a name")
    browser.keys(*"no-mouse", ENTER)
    browser.until(lambda: browser.focused() == f"Copy no-mouse@{DOMAIN}", "the new address is not where one is")
    tab_to(browser, "Ignored")
    browser.keys(SPACE)
    browser.sees("thrown away")
    tab_to(browser, f"Details of no-mouse@{DOMAIN}")
    browser.keys(ENTER)
    tab_to(browser, "Show large")
    browser.keys(ENTER)
    browser.find("dialog.large[open]")
    browser.keys(ESCAPE)
    browser.until(lambda: browser.focused() == "Show large", "the focus is lost after a dialog")
    tab_to(browser, "Remove")
    browser.keys(ENTER)
    browser.until(lambda: browser.focused() == "Undo", "the way back is not where one is")
    alias = house.read(f"no-mouse@{DOMAIN}")
    assert alias is None


def test_a_dialog_keeps_the_focus(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    browser.press("New address")
    browser.field("Name before the @")
    inside = (
        "return document.activeElement === document.body || document.querySelector('dialog').contains(document.activeElement)"
    )
    for _ in range(12):
        browser.keys(TAB)
        assert browser.run(inside)


def test_one_can_go_past_the_top_of_the_page(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    browser.reload()
    browser.named("button", "New address")
    browser.keys(TAB)
    assert browser.focused() == "Skip to the content"
    browser.keys(ENTER, TAB)
    assert browser.focused() == "New address"
    browser.sees("Addresses")


def test_a_new_view_begins_at_its_heading(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    browser.named("a", "Mailbox").click()
    browser.until(lambda: browser.focused() == "My mailbox", "the focus stays behind")
    assert browser.title.startswith("Mailbox")
    assert browser.run("return document.querySelector('nav [aria-current=page]').textContent") == "Mailbox"


@pytest.mark.parametrize("dark", [False, True])
def test_the_colours_are_those_that_the_system_asks_for(browser: Browser, house: House, dark: bool) -> None:
    browser.shape(1100, 800, dark=dark)
    as_nobody(browser, house)
    red, green, blue = browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red + green + blue < 3 * 64) == dark
