"""What nearly everybody does on the page."""

from __future__ import annotations

from tests.clients.stores import PASSWORD
from tests.web.browser.webdriver import Browser

_ROWS = "return [...document.querySelectorAll('.rows:not([aria-busy]) h2')].map((one) => one.textContent)"


def log_in(browser: Browser, url: str, user: str, password: str = PASSWORD) -> None:
    """From the login to the first view."""
    browser.go(url)
    browser.fill("User name", user)
    browser.fill("Password", password)
    browser.press("Log in")
    browser.named("button", "Log out")


def rows(browser: Browser) -> list[str]:
    """The addresses that are shown, none while the gateway is being asked."""
    shown: list[str] = browser.run(_ROWS)
    return shown


def find(browser: Browser, *addresses: str, text: str = "") -> None:
    """Search for `text`, else for the only address, and wait until these are the ones that are shown."""
    browser.fill("Search", text or addresses[0])
    browser.until(lambda: rows(browser) == list(addresses), f"other rows than {addresses} are shown")


def open_details(browser: Browser) -> None:
    """Of the only row, or the first."""
    browser.run("document.querySelector('.row details').open = true")
