"""What an attacker may write into the table, or try from another page, does nothing in a browser."""

from __future__ import annotations

import http.server
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.clients.stores import DOMAIN, PASSWORD
from tests.servers.serving import serving
from tests.web.browser.pagehouse import TOM, House
from tests.web.browser.steps import find, log_in, open_details
from tests.web.browser.webdriver import Browser

_HOSTILE = (
    "<img src=x onerror=\"document.title='broken'\">",
    "<script>document.title='broken'</script>",
    "\"><svg onload=document.title='broken'>",
    "javascript:document.title='broken'",
    "{{constructor.constructor('document.title=1')()}}",
    "<style>body{display:none}</style>",
    "&lt;b&gt; </h2><h1>",
)


@pytest.mark.parametrize("text", _HOSTILE)
def test_a_description_is_text_and_nothing_else(browser: Browser, house: House, text: str) -> None:
    address = house.alias(f"xss{_HOSTILE.index(text)}", description=text)
    log_in(browser, house.url, TOM)
    find(browser, address)
    assert browser.run("return document.querySelector('.row .about').textContent") == text
    open_details(browser)
    browser.press("Rename or edit")
    assert browser.field("Description").value == text
    assert browser.title.startswith("Addresses")
    assert (
        browser.run("return document.querySelectorAll('section img, section script, section svg, section style').length") == 0
    )


def test_an_address_is_text_and_nothing_else(browser: Browser, house: House) -> None:
    # RFC 5321 lets a local part have all of these, and other programs write to the table too.
    local = "a{b}'&`$|x=/?"
    address = house.alias(local)
    log_in(browser, house.url, TOM)
    find(browser, address, text="a{b}")
    for name, words in (("Ignored", "thrown away"), ("Inactive", "Mail is refused.")):
        browser.press(name)
        browser.sees(words)
    open_details(browser)
    browser.press("Remove")
    browser.sees(f"Removed {address}.")


def test_no_script_of_somebody_elses_runs_on_the_page(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    browser.run("document.body.append(Object.assign(document.createElement('button'), { id: 'bait' }))")
    tried = """
    const script = document.createElement("script");
    try { script.textContent = "document.title = 'broken'"; document.body.append(script); } catch {}
    try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=\\"document.title = 'broken'\\">"); } catch {}
    try { document.getElementById("bait").setAttribute("onclick", "document.title = 'broken'"); document.getElementById("bait").click(); } catch {}
    return new Promise((done) => setTimeout(() => done(document.title), 200));
    """
    assert "broken" not in browser.run(tried)
    assert any("Content Security Policy" in words or "TrustedHTML" in words for words in browser.complaints())


@contextmanager
def stranger(body: str) -> Iterator[str]:
    """Somebody else's site with this page, under another host name of this machine."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(Page) as port:
        yield f"http://localhost:{port}/"


def test_another_site_cannot_frame_the_page(browser: Browser, house: House) -> None:
    with stranger(f"<iframe src='{house.url}'></iframe>") as url:
        browser.go(url)
        browser.until(
            lambda: any("frame-ancestors" in words or "X-Frame-Options" in words for words in browser.complaints()),
            "it was framed",
        )


def test_another_site_cannot_change_anything(browser: Browser, house: House) -> None:
    address = house.alias("not-by-strangers")
    log_in(browser, house.url, TOM)
    attack = f"""<script>
    const tries = [
        fetch("{house.url}api/v1/aliases/{address}", {{ method: "DELETE", credentials: "include" }}),
        fetch("{house.url}api/v1/aliases/{address}", {{ method: "PATCH", body: "{{}}", credentials: "include" }}),
        fetch("{house.url}api/v1/aliases", {{ method: "POST", mode: "no-cors", credentials: "include",
            body: JSON.stringify({{ local: "by-strangers", domain: "{DOMAIN}" }}) }}),
        fetch("{house.url}session", {{ method: "DELETE", credentials: "include" }}),
    ];
    Promise.allSettled(tries).then(() => {{ document.title = "tried"; }});
    </script>"""
    with stranger(attack) as url:
        browser.go(url)
        browser.until(lambda: browser.title == "tried", "the attack did not run")
    browser.complaints()
    assert house.read(address) is not None
    assert house.read(f"by-strangers@{DOMAIN}") is None
    browser.go(house.url)
    browser.named("button", "Log out")


def test_a_login_that_was_made_over_https_is_sent_over_nothing_else(browser: Browser, house: House) -> None:
    log_in(browser, house.https, TOM)
    browser.named("button", "New address")
    cookies = browser.devtools("Network.getAllCookies")["cookies"]
    assert cookies
    for cookie in cookies:
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")


def test_the_script_of_the_page_cannot_read_its_cookie(browser: Browser, house: House) -> None:
    log_in(browser, house.url, TOM)
    assert browser.run("return document.cookie") == ""


def test_a_password_stays_in_no_field(browser: Browser, house: House) -> None:
    browser.go(house.url)
    browser.fill("User name", TOM)
    browser.fill("Password", f"not {PASSWORD}")
    browser.press("Log in")
    browser.until(
        lambda: browser.run("return document.querySelector('[role=alert]:not([hidden])')?.innerText"), "nothing is said"
    )
    assert browser.field("Password").value == ""
    assert browser.focused() == "Password"
    assert browser.field("User name").value == TOM
