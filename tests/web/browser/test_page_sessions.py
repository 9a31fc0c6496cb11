"""Coming and going, in a browser: what one sees of sessions, and of a server that does not answer."""

from __future__ import annotations

from tests.web.browser.pagehouse import BOSS, TOM, House
from tests.web.browser.steps import log_in
from tests.web.browser.webdriver import Browser


def test_a_login_lasts_when_the_page_is_loaded_again(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    browser.reload()
    browser.named("button", "Log out")
    browser.sees(TOM)


def test_one_comes_back_to_the_view_that_the_address_names(browser: Browser, house: House) -> None:
    log_in(browser, f"{house.url}#/mailbox", TOM)
    browser.sees("My mailbox")
    browser.named("a", "Domains").click()
    browser.until(lambda: browser.title.startswith("Domains"), "not there")
    browser.ask("POST", "/back", {})
    browser.sees("My mailbox")


def test_logging_out_ends_the_session(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    browser.press("Log out")
    browser.sees("You are logged out.")
    browser.reload()
    browser.field("User name")
    assert browser.run("return document.getElementById('top').checkVisibility()") is False


def test_a_session_that_ended_meanwhile_leads_to_the_login_and_back(browser: Browser, house: House) -> None:
    log_in(browser, f"{house.url}#/domains", TOM)
    browser.devtools("Network.clearBrowserCookies")
    browser.named("a", "Mailbox").click()
    browser.sees("Your session has ended. Please log in again.")
    log_in(browser, browser.url, TOM)
    browser.sees("My mailbox")


def test_no_form_is_left_over_a_login(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    browser.sees("addresses")
    browser.devtools("Network.clearBrowserCookies")
    browser.press("New address")
    browser.sees("Your session has ended. Please log in again.")
    browser.field("Password")
    assert browser.run("return document.querySelectorAll('dialog').length") == 0


def test_only_administrators_are_offered_what_only_they_may_do(browser: Browser, house: House) -> None:
    log_in(browser, f"{house.url}#/destinations", TOM)
    assert browser.run("return [...document.querySelectorAll('nav a')].map((one) => one.textContent)") == [
        "Addresses",
        "Domains",
        "Mailbox",
    ]
    browser.sees("New address")
    browser.named("a", "Domains").click()
    browser.until(lambda: browser.title.startswith("Domains"), "not there")
    assert browser.run("return document.querySelectorAll('section button').length") == 0
    browser.press("Log out")
    log_in(browser, f"{house.url}#/destinations", BOSS)
    browser.named("button", "Add destination")


def test_a_server_that_does_not_answer_is_said_in_words(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    browser.named("button", "New address")
    browser.devtools("Network.enable")
    browser.devtools("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    try:
        browser.fill("Search", "anything")
        browser.sees("The server does not answer. Check your connection and try again.")
    finally:
        browser.devtools(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
    assert all("ERR_INTERNET_DISCONNECTED" in words or "401" in words for words in browser.complaints())
    browser.fill("Search", "anything else")
    browser.sees("Nothing found.")


def test_the_mailbox_is_shown_in_figures_with_settings_to_copy(browser: Browser, house: House) -> None:
    log_in(browser, f"{house.url}#/mailbox", TOM)
    browser.sees("0 messages")
    browser.press("Look again")
    browser.sees("0 bytes")
