"""A Chromium that tests drive, by the WebDriver protocol (W3C Recommendation) of Debian's chromedriver."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded

# How WebDriver names an element in JSON, section 12.1.
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    # With a pipe Chromium ends with its driver, whatever ends that one.
    "--remote-debugging-pipe",
    # The gateways of the tests have certificates of their own.
    "--ignore-certificate-errors",
    "--lang=en-GB",
)
_PATIENCE = 15.0

# Keys that are no letters (section 17.4.2).
TAB, ENTER, ESCAPE, SPACE = "\ue004", "\ue007", "\ue00c", " "

# The one shown element of a selector that has this name: its aria-label, its label or its text.
_NAMED = """
const [selector, name] = arguments;
const tidy = (text) => (text ?? "").replace(/\\s+/g, " ").trim();
const nameOf = (one) => tidy(one.getAttribute("aria-label") ?? one.labels?.[0]?.textContent ?? one.textContent);
const scope = document.querySelector("dialog[open]") ?? document;
return [...scope.querySelectorAll(selector)].filter((one) => nameOf(one) === name && one.checkVisibility());
"""


class Wrong(Exception):
    """The driver could not do what it was told."""


class Element:
    """Something on the page."""

    def __init__(self, browser: Browser, reference: str) -> None:
        self.reference = {_ELEMENT: reference}
        self._browser = browser
        self._path = f"/element/{reference}"

    def click(self) -> None:
        """As by a mouse. Raises Wrong if something else lies over it, or it cannot be seen."""
        self._browser.ask("POST", f"{self._path}/click", {})

    def type(self, text: str) -> None:
        self._browser.ask("POST", f"{self._path}/value", {"text": text})

    def fill(self, text: str) -> None:
        """`text` instead of what is in there."""
        self._browser.ask("POST", f"{self._path}/clear", {})
        self.type(text)

    @property
    def text(self) -> str:
        """What can be seen of its text."""
        return str(self._browser.ask("GET", f"{self._path}/text"))

    @property
    def value(self) -> str:
        return str(self._browser.ask("GET", f"{self._path}/property/value"))

    def attribute(self, name: str) -> str | None:
        value = self._browser.ask("GET", f"{self._path}/attribute/{name}")
        return None if value is None else str(value)


class Browser:
    """One window. Every method waits for the driver; those that look for something wait until it is there, at most 15 seconds."""

    def __init__(self, port: int) -> None:
        self._wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._session = ""
        options = {
            "binary": "/usr/bin/chromium",
            "args": [*_ARGUMENTS],
            "prefs": {"intl.accept_languages": "en-GB"},
        }
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}, "acceptInsecureCerts": True}
        opened = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._session = f"/session/{opened['sessionId']}"

    def close(self) -> None:
        self._ask("DELETE", self._session)
        self._wire.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        self._wire.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = self._wire.getresponse()
        value = json.loads(answer.read())["value"]
        if answer.status != 200:
            raise Wrong(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A command of this window."""
        return self._ask(method, f"{self._session}{path}", body)

    def go(self, url: str) -> None:
        """Returns when it is loaded."""
        self.ask("POST", "/url", {"url": url})

    def reload(self) -> None:
        self.ask("POST", "/refresh", {})

    @property
    def url(self) -> str:
        return str(self.ask("GET", "/url"))

    @property
    def title(self) -> str:
        return str(self.ask("GET", "/title"))

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function of this body returns, or what it promises."""
        given = [argument.reference if isinstance(argument, Element) else argument for argument in arguments]
        return self._elements(self.ask("POST", "/execute/sync", {"script": script, "args": given}))

    def _elements(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._elements(one) for one in value]
        if isinstance(value, dict) and _ELEMENT in value:
            return Element(self, value[_ELEMENT])
        return value

    def devtools(self, command: str, **parameters: Any) -> Any:
        """A command of the Chrome DevTools Protocol."""
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def until(self, true: Callable[[], Any], what: str) -> Any:
        """What `true()` gives once that is something. Elements may go while it looks at them."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                if found := true():
                    return found
            except Wrong as error:
                if "stale element" not in str(error):
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}; on the page is:\n{self.text()[:2000]}\n{self.complaints()}")
            time.sleep(0.02)

    def find(self, selector: str) -> Element:
        """The first element of a CSS selector."""
        script = "return document.querySelector(arguments[0])"
        found: Element = self.until(lambda: self.run(script, selector), f"nothing is {selector}")
        return found

    def named(self, selector: str, name: str) -> Element:
        """The only one that is shown and called that; in a dialog while one is open."""
        found: list[Element] = self.until(lambda: self.run(_NAMED, selector, name), f"no {selector} is named {name!r}")
        assert len(found) == 1, f"{len(found)} are named {name!r}"
        return found[0]

    def press(self, name: str) -> None:
        """Click on a button."""
        self.named("button", name).click()

    def field(self, label: str) -> Element:
        return self.named("input, select", label)

    def fill(self, label: str, text: str) -> None:
        self.field(label).fill(text)

    def choose(self, label: str, option: str) -> None:
        found: Element = self.run(
            "return [...arguments[0].options].find((one) => one.text === arguments[1])", self.field(label), option
        )
        found.click()

    def sees(self, words: str) -> None:
        """Wait until the page shows these words."""
        self.until(lambda: words in self.text(), f"{words!r} is not to be seen")

    def sees_no(self, words: str) -> None:
        self.until(lambda: words not in self.text(), f"{words!r} is still to be seen")

    def text(self) -> str:
        return str(self.run("return document.body.innerText"))

    def keys(self, *keys: str) -> None:
        """Press keys one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def focused(self) -> str:
        """The name of what has the focus."""
        script = "const one = document.activeElement; return one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent"
        return " ".join(str(self.run(script)).split())

    def shape(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of the window in CSS pixels, as on a phone where it is narrow, and the light it is seen in."""
        phone = width < 600
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        light = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.devtools("Emulation.setEmulatedMedia", features=light)

    def picture(self, file: Path) -> None:
        """Write what the window shows, as PNG."""
        file.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def complaints(self) -> list[str]:
        """What the browser complained of since this was last asked: errors of scripts, what the policy forbade."""
        entries = self.ask("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def forget(self) -> None:
        """An empty page, no cookies."""
        self.go("about:blank")
        self.devtools("Network.clearBrowserCookies")
        self.complaints()


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser that nobody has used."""
    port = free_port()
    driver = Guarded(["/usr/bin/chromedriver", f"--port={port}"], folder / "chromedriver.log")
    try:
        wait_until(lambda: answers(port), seconds=30, what=driver.tail)
        browser = Browser(port)
        yield browser
        browser.close()
    finally:
        driver.stop()
