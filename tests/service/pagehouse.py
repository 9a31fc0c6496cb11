"""A gateway with a page, and the people who use it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.clients.browsing import Browser
from tests.servers.ports import free_port
from tests.service.house import ANN, PASSWORD, TOM, House, opened

SECRET = "a secret of thirty-two octets, or more"
ADMIN = "postmaster@example.com"
# Who logs in by another name than his address.
JIM, JAMES = "jim@example.com", "james@example.com"
# Nobody logs in as these but the tests of the throttle.
VICTIMS = ("first@example.com", "second@example.com", "third@example.com")


@contextlib.contextmanager
def paged(folder: Path, **page: object) -> Iterator[tuple[House, int]]:
    """The gateway with a page on plain HTTP, and its port."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    users = [{"name": name, "password": PASSWORD} for name in (TOM, ANN, ADMIN, *VICTIMS)]
    users.append({"name": JIM, "password": PASSWORD, "address": JAMES})
    listener = {"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}
    with opened(
        folder,
        auth={"checkers": ["static", "jwt"], "jwt_secret": "another secret of thirty-two octets", "users": users},
        aliases={"table": "sqlite", "map": None},
        mailboxes={"domains": ["example.com"], "default_domain": "example.com"},
        page={"listeners": [listener], "admins": [ADMIN.partition("@")[0]], "token_secret": SECRET, **page},
    ) as house:
        yield house, port


def logged_in(port: int, user: str) -> Browser:
    browser = Browser(port)
    assert browser.log_in(user, PASSWORD).status == 200
    return browser


def made(browser: Browser, local: str) -> str:
    """The path of a new alias."""
    answer = browser.ask("POST", "/api/v1/aliases", {"local": local, "domain": "example.com"})
    assert answer.status == 201, answer.body
    return f"/api/v1/aliases/{answer.said['identifier']}"
