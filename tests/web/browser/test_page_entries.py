"""Domains and destinations, kept by an administrator in a browser."""

from __future__ import annotations

import pytest

from tests.web.browser.pagehouse import BOSS, House
from tests.web.browser.steps import log_in
from tests.web.browser.webdriver import Browser


@pytest.fixture
def boss(browser: Browser, house: House) -> Browser:
    log_in(browser, house.url, BOSS)
    return browser


def open_row(browser: Browser, name: str) -> None:
    """Only this row stays on the page, with its details."""
    browser.named(".row h2", name)
    only = "document.querySelectorAll('.row').forEach((row) => row.querySelector('h2').textContent === arguments[0] || row.remove());"
    browser.run(f"{only} document.querySelector('.row details').open = true", name)


def test_a_domain_is_added_changed_and_removed_and_comes_back(boss: Browser, house: House) -> None:
    boss.named("a", "Domains").click()
    boss.named("button", "Add domain")
    assert boss.run("return document.querySelectorAll('dialog').length") == 0
    boss.press("Add domain")
    boss.fill("Domain", "Shop.Example.COM")
    boss.fill("Description", "For shops")
    boss.press("Add")
    boss.sees("Added shop.example.com.")
    assert boss.focused() == "Active"
    open_row(boss, "shop.example.com")
    boss.press("Edit")
    boss.fill("Catch-all", BOSS)
    boss.press("Save")
    boss.sees(f"go to {BOSS}")
    boss.press("Inactive")
    boss.sees("Mail to any of its addresses is refused.")
    with house.asked_by(BOSS) as program:
        domain = program.ask("GET", "api/v1/domains/shop.example.com")
        assert (domain["active"], domain["description"], domain["catch_all"]) == (False, "For shops", [BOSS])
        boss.press("Remove")
        boss.sees("Removed shop.example.com.")
        assert program.answer("GET", "api/v1/domains/shop.example.com")[0] == 404
        boss.press("Undo")
        boss.sees("shop.example.com is back.")
        again = program.ask("GET", "api/v1/domains/shop.example.com")
        assert (again["active"], again["description"], again["catch_all"]) == (False, "For shops", [BOSS])
        program.ask("DELETE", "api/v1/domains/shop.example.com")


def test_an_inactive_domain_is_not_offered_for_new_addresses(boss: Browser, house: House) -> None:
    with house.asked_by(BOSS) as program:
        program.ask("POST", "api/v1/domains", {"name": "here.example.com"})
        program.ask("POST", "api/v1/domains", {"name": "gone.example.com", "active": False})
        boss.press("New address")
        offered = boss.run("return [...arguments[0].options].map((one) => one.text)", boss.field("Domain"))
        assert "here.example.com" in offered
        assert "gone.example.com" not in offered
        for name in ("here", "gone"):
            program.ask("DELETE", f"api/v1/domains/{name}.example.com")


def test_a_destination_is_added_stopped_and_removed(boss: Browser, house: House) -> None:
    boss.named("a", "Destinations").click()
    boss.press("Add destination")
    boss.fill("Address", "new@example.net")
    boss.press("Add")
    boss.sees("Added new@example.net.")
    open_row(boss, "new@example.net")
    boss.press("Inactive")
    boss.sees("No mail goes here.")
    with house.asked_by(BOSS) as program:
        assert program.ask("GET", "api/v1/destinations/new@example.net")["active"] is False
        boss.press("Remove")
        boss.sees("Removed new@example.net.")
        assert program.answer("GET", "api/v1/destinations/new@example.net")[0] == 404


def test_what_is_there_already_is_said(boss: Browser, house: House) -> None:
    with house.asked_by(BOSS) as program:
        program.ask("POST", "api/v1/domains", {"name": "twice.example.com"})
        boss.named("a", "Domains").click()
        boss.press("Add domain")
        boss.fill("Domain", "twice.example.com")
        boss.press("Add")
        boss.until(
            lambda: boss.run("return document.querySelector('dialog .note.bad:not([hidden])')?.innerText"), "nothing is said"
        )
        program.ask("DELETE", "api/v1/domains/twice.example.com")
