"""The demo as a person tries it: an address is made on the page, mail to it arrives, is dropped, and is refused."""

from __future__ import annotations

import poplib
import subprocess
from collections.abc import Iterator

import pytest

from sesmail.service.demo import DOMAIN, LOCAL, PASSWORD
from tests.clients.demohouse import DemoHouse, running
from tests.servers.ports import wait_until
from tests.service.tls import trusting
from tests.web.browser.steps import find, log_in
from tests.web.browser.webdriver import Browser

_ADDRESS = f"first-shop@{DOMAIN}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHouse]:
    with running(tmp_path_factory.mktemp("demo")) as house:
        yield house


def swaks(demo: DemoHouse, recipient: str, subject: str) -> subprocess.CompletedProcess[str]:
    """Send a message from the demo's user through its submission port."""
    user = f"{LOCAL}@{DOMAIN}"
    server = ["--server", "127.0.0.1", "--port", str(demo.demo.submission_tls_port), "--tls-on-connect"]
    login = ["--auth", "PLAIN", "--auth-user", user, "--auth-password", PASSWORD]
    mail = ["--from", user, "--to", recipient, "--header", f"Subject: {subject}", "--body", "Hello"]
    return subprocess.run(["swaks", *server, *login, *mail], capture_output=True, text=True, timeout=60, check=False)


def subjects(demo: DemoHouse) -> list[str]:
    """What POP3 has, in its order."""
    door = demo.pop3s
    pop = poplib.POP3_SSL(door.host, door.port, timeout=30, context=trusting(door.authority))
    try:
        pop.user(door.user)
        pop.pass_(door.password)
        heads = [b"\n".join(pop.top(number, 0)[1]) for number in range(1, pop.stat()[0] + 1)]
    finally:
        pop.quit()
    lines = [line for head in heads for line in head.decode("latin-1").splitlines()]
    return [line.removeprefix("Subject: ") for line in lines if line.startswith("Subject: ")]


def press(browser: Browser, demo: DemoHouse, name: str, words: str) -> None:
    """Decide what happens to the address's mail, on a page that was just opened."""
    browser.go(f"http://127.0.0.1:{demo.demo.page_port}/")
    find(browser, _ADDRESS)
    browser.press(name)
    browser.sees(words)


def test_the_whole_way_of_an_address(browser: Browser, demo: DemoHouse) -> None:
    log_in(browser, f"http://127.0.0.1:{demo.demo.page_port}/", f"{LOCAL}@{DOMAIN}", PASSWORD)
    browser.sees("No addresses yet.")
    browser.press("New address")
    assert browser.field("Domain").value == DOMAIN
    browser.fill("Name before the @", "first-shop")
    browser.press("Create")
    browser.sees(f"Created {_ADDRESS}.")

    assert swaks(demo, _ADDRESS, "to the new address").returncode == 0
    wait_until(lambda: "to the new address" in subjects(demo), seconds=30, what=lambda: str(subjects(demo)))
    browser.reload()
    browser.sees("Used for 1 message.")

    press(browser, demo, "Ignored", "Mail is taken and thrown away.")
    assert swaks(demo, _ADDRESS, "thrown away").returncode == 0

    press(browser, demo, "Inactive", "Mail is refused.")
    refused = swaks(demo, _ADDRESS, "refused")
    assert refused.returncode != 0
    asked, answered = (
        line.split(maxsplit=1)[1] for line in refused.stdout.splitlines() if "RCPT TO" in line or " 550 " in line
    )
    assert asked == f"RCPT TO:<{_ADDRESS}>"
    assert answered.startswith("550 5.1.1 ")

    press(browser, demo, "Active", "Mail is delivered.")
    assert swaks(demo, _ADDRESS, "once more").returncode == 0
    wait_until(lambda: "once more" in subjects(demo), seconds=30, what=lambda: str(subjects(demo)))
    assert not {"thrown away", "refused"} & set(subjects(demo))


def test_the_mailbox_of_the_demo_is_told_with_its_settings(browser: Browser, demo: DemoHouse) -> None:
    log_in(browser, f"http://127.0.0.1:{demo.demo.page_port}/#/mailbox", f"{LOCAL}@{DOMAIN}", PASSWORD)
    browser.sees("waiting for your mail program")
    for title, port in (("Incoming mail", demo.demo.tls_port), ("Outgoing mail", demo.demo.submission_tls_port)):
        browser.named("button", f"Copy {title}: Port")
        browser.sees(str(port))
    assert browser.run("return document.querySelector('.figure strong').textContent") == f"{len(subjects(demo))} messages"
