"""What people do with their addresses, in a browser."""

from __future__ import annotations

import re

import pytest

from tests.clients.stores import DOMAIN
from tests.web.browser.pagehouse import ANN, BOSS, TOM, House
from tests.web.browser.steps import find, log_in, open_details, rows
from tests.web.browser.webdriver import ENTER, Browser


@pytest.fixture
def tom(browser: Browser, house: House) -> Browser:
    log_in(browser, house.url, TOM)
    return browser


def state(browser: Browser) -> str:
    return str(browser.run("return document.querySelector('.row [aria-pressed=true]').textContent"))


def test_an_address_is_made(tom: Browser, house: House) -> None:
    tom.press("New address")
    tom.fill("Name before the @", "Shop.One")
    tom.fill("Description", "The first shop")
    tom.press("Create")
    tom.sees(f"Created shop.one@{DOMAIN}.")
    assert tom.focused() == f"Copy shop.one@{DOMAIN}"
    alias = house.read(f"shop.one@{DOMAIN}")
    assert alias is not None
    assert (alias["owner"], alias["destinations"], alias["description"]) == (TOM, [TOM], "The first shop")


def test_an_address_is_found_by_a_part_of_it(tom: Browser, house: House) -> None:
    house.alias("needle-in-hay")
    house.alias("only-hay")
    find(tom, f"needle-in-hay@{DOMAIN}", text="EDLE-IN")


def test_whatever_is_searched_for_is_found(tom: Browser, house: House) -> None:
    # Signs that mean something in a URL, unless they are written as they must be.
    address = house.alias("odd&q=%2b+x#y")
    house.alias("odd-one-out")
    find(tom, address, text="odd&q=%2b+x#Y")


def test_addresses_are_chosen_by_what_happens_to_their_mail(tom: Browser, house: House) -> None:
    house.alias("chosen-live")
    house.alias("chosen-drop", ignore=True)
    house.alias("chosen-dead", active=False)
    find(tom, *(f"chosen-{local}@{DOMAIN}" for local in ("dead", "drop", "live")), text="chosen-")
    for option, local in (("Active", "live"), ("Ignored", "drop"), ("Inactive", "dead")):
        tom.choose("Show", option)
        tom.until(lambda: rows(tom) == [f"chosen-{local}@{DOMAIN}"], "others are shown")  # noqa: B023


def test_long_lists_come_in_pieces(tom: Browser, house: House) -> None:
    for number in range(55):
        house.alias(f"many{number:02}")
    tom.fill("Search", "many")
    tom.sees("50 addresses so far.")
    tom.press("Show more")
    tom.sees("55 addresses.")
    assert tom.focused() == f"Copy many50@{DOMAIN}"


def test_nothing_found_is_said(tom: Browser) -> None:
    tom.fill("Search", "no-such-thing")
    tom.sees("Nothing found.")


def test_mail_is_ignored_and_refused_and_delivered_again(tom: Browser, house: House) -> None:
    address = house.alias("switch")
    find(tom, address)
    for name, words, active, ignore in (
        ("Ignored", "Mail is taken and thrown away.", True, True),
        ("Inactive", "Mail is refused.", False, True),
        ("Active", "Mail is delivered.", True, False),
    ):
        tom.press(name)
        tom.sees(f"{address}: {words}")
        assert state(tom) == name
        assert tom.focused() == name
        alias = house.read(address)
        assert alias is not None
        assert (alias["active"], alias["ignore"]) == (active, ignore)


def test_an_address_is_renamed_and_keeps_all_else(tom: Browser, house: House) -> None:
    address = house.alias("before", description="kept", ignore=True)
    old = house.read(address)
    find(tom, address)
    open_details(tom)
    tom.press("Rename or edit")
    tom.fill("Name before the @", "after")
    tom.press("Save")
    tom.sees(f"Saved after@{DOMAIN}.")
    new = house.read(f"after@{DOMAIN}")
    assert house.read(address) is None
    assert old is not None
    assert new is not None
    other = {"local": "", "address": "", "modified": "", "etag": ""}
    assert {**new, **other} == {**old, **other}


def test_a_name_that_is_taken_is_said_and_nothing_is_lost(tom: Browser, house: House) -> None:
    address = house.alias("mine-first")
    house.alias("hers", owner=ANN)
    find(tom, address)
    open_details(tom)
    tom.press("Rename or edit")
    tom.fill("Name before the @", "hers")
    tom.press("Save")
    tom.until(
        lambda: tom.run("return document.querySelector('dialog .note.bad, dialog .field-error:not(:empty)')?.innerText"),
        "no error",
    )
    assert tom.field("Name before the @").value == "hers"
    assert house.read(address) is not None


def test_what_was_removed_comes_back(tom: Browser, house: House) -> None:
    address = house.alias("phoenix", description="from the ashes", ignore=True)
    find(tom, address)
    open_details(tom)
    tom.press("Remove")
    tom.sees(f"Removed {address}.")
    assert house.read(address) is None
    assert tom.focused() == "Undo"
    tom.keys(ENTER)
    tom.sees(f"{address} is back.")
    alias = house.read(address)
    assert alias is not None
    assert (alias["description"], alias["ignore"], alias["owner"]) == ("from the ashes", True, TOM)


def test_a_change_that_somebody_else_made_is_not_overwritten(tom: Browser, house: House) -> None:
    address = house.alias("contested")
    find(tom, address)
    house.change(address, description="changed meanwhile")
    tom.press("Inactive")
    tom.sees("Somebody else has changed this meanwhile.")
    tom.sees("changed meanwhile")
    alias = house.read(address)
    assert alias is not None
    assert alias["active"]
    tom.press("Inactive")
    tom.sees(f"{address}: Mail is refused.")


def test_a_change_is_one_request(tom: Browser, house: House) -> None:
    address = house.alias("asked-once")
    find(tom, address)
    tom.run("performance.clearResourceTimings()")
    tom.press("Inactive")
    tom.sees(f"{address}: Mail is refused.")
    asked = tom.run("return performance.getEntriesByType('resource').map((one) => new URL(one.name).pathname)")
    assert [path for path in asked if "asked-once" in path] == [f"/post/api/v1/aliases/asked-once%40{DOMAIN}"]


def test_an_edit_keeps_what_somebody_else_has_changed_meanwhile(tom: Browser, house: House) -> None:
    address = house.alias("edited-by-two")
    find(tom, address)
    open_details(tom)
    tom.press("Rename or edit")
    tom.fill("Description", "by Tom")
    house.change(address, active=False)
    tom.press("Save")
    tom.sees("Somebody else has changed this meanwhile.")
    tom.press("Save")
    tom.sees(f"Saved {address}.")
    alias = house.read(address)
    assert alias is not None
    assert (alias["active"], alias["description"]) == (False, "by Tom")


def test_what_has_gone_meanwhile_is_said(tom: Browser, house: House) -> None:
    address = house.alias("vanishing")
    find(tom, address)
    with house.asked_by(BOSS) as boss:
        boss.ask("DELETE", f"api/v1/aliases/{address}")
    tom.press("Inactive")
    tom.sees("This is not there any more.")


def test_an_address_is_copied(tom: Browser, house: House) -> None:
    address = house.alias("copied")
    tom.devtools("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    find(tom, address)
    tom.press(f"Copy {address}")
    tom.sees(f"Copied {address}")
    assert tom.run("return navigator.clipboard.readText()") == address


def test_an_address_is_copied_where_the_clipboard_is_kept_from_us(tom: Browser, house: House) -> None:
    address = house.alias("copied-by-hand")
    find(tom, address)
    tom.run("navigator.clipboard.writeText = () => Promise.reject(new Error('not here'))")
    tom.press(f"Copy {address}")
    tom.sees(f"Copied {address}")


def test_an_address_is_shown_as_large_as_it_can_be(tom: Browser, house: House) -> None:
    find(tom, house.alias("large"))
    open_details(tom)
    tom.press("Show large")
    tom.find("dialog.large[open]")
    large, usual = tom.run(
        "return ['dialog h2', '.row h2'].map((one) => parseFloat(getComputedStyle(document.querySelector(one)).fontSize))"
    )
    assert large > 3 * usual
    assert tom.run("const heading = document.querySelector('dialog h2'); return heading.scrollWidth <= heading.clientWidth")


def test_a_random_name_is_offered(tom: Browser) -> None:
    tom.press("New address")
    tom.press("Randomize")
    assert re.fullmatch(r"[a-z]+-[a-z]+", tom.field("Name before the @").value)
    tom.fill("Name before the @", "Shop.")
    tom.press("Randomize")
    assert re.fullmatch(r"shop\.[0-9a-z]{4}", tom.field("Name before the @").value)


def test_what_is_wrong_in_a_form_is_said_where_it_is_wrong(tom: Browser) -> None:
    tom.press("New address")
    tom.press("Create")
    tom.sees("Please fill this in.")
    assert tom.focused() == "Name before the @"
    tom.fill("Name before the @", "two words")
    tom.press("Create")
    tom.until(
        lambda: tom.run("return document.querySelector('[name=local]').getAttribute('aria-invalid')"), "nothing is marked"
    )
    error = tom.run(
        "return document.getElementById(document.activeElement.getAttribute('aria-describedby').split(' ').at(-1)).innerText"
    )
    assert error not in ("", "Please fill this in.")


def test_one_sees_the_addresses_of_nobody_else(tom: Browser, house: House) -> None:
    house.alias("secret-of-ann", owner=ANN)
    house.alias("secret-of-nobody", owner="")
    house.alias("secret-of-tom")
    find(tom, f"secret-of-tom@{DOMAIN}", text="secret-of-")


def test_an_administrator_gives_an_address_to_somebody(browser: Browser, house: House) -> None:
    log_in(browser, house.url, BOSS)
    browser.press("New address")
    browser.fill("Name before the @", "gift")
    browser.fill("Goes to", f"{ANN}, {TOM}")
    browser.fill("Belongs to", ANN)
    browser.press("Create")
    browser.sees(f"Created gift@{DOMAIN}.")
    alias = house.read(f"gift@{DOMAIN}")
    assert alias is not None
    assert (alias["owner"], alias["destinations"]) == (ANN, [ANN, TOM])
