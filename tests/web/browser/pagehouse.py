"""A gateway that serves its page under a path of its own, three people who may log in, and their aliases."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.clients.stores import DOMAIN, PASSWORD, Folder, let_in
from tests.servers import gateway
from tests.servers.certificates import Authority
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port

BASE = "/post"
TOM, ANN, BOSS = (f"{name}@{DOMAIN}" for name in ("tom", "ann", "boss"))
"""Two people, and the administrator."""


@dataclass(frozen=True)
class House:
    """The gateway, and the ports of its page for HTTP and HTTPS."""

    gateway: Gateway
    port: int
    tls_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}/"

    @property
    def https(self) -> str:
        return f"https://localhost:{self.tls_port}{BASE}/"

    @contextmanager
    def asked_by(self, user: str) -> Iterator[Program]:
        """The API, as a program uses it that has logged in."""
        program = Program(self.port)
        program.ask("POST", "session", {"user": user, "password": PASSWORD})
        yield program
        program.ask("DELETE", "session")
        program.close()

    def alias(self, local: str, owner: str = TOM, **members: object) -> str:
        """Make an alias of this owner's, with more `members` of the API's, and return its address."""
        with self.asked_by(BOSS) as boss:
            boss.ask(
                "POST",
                "api/v1/aliases",
                {"local": local, "domain": DOMAIN, "owner": owner, "destinations": [owner or BOSS], **members},
            )
        return f"{local}@{DOMAIN}"

    def read(self, address: str) -> dict[str, Any] | None:
        """An alias as the API tells it to the administrator, None if there is none."""
        with self.asked_by(BOSS) as boss:
            status, alias = boss.answer("GET", f"api/v1/aliases/{quote(address)}")
            return alias if status == 200 else None

    def change(self, address: str, **members: object) -> None:
        """As somebody else does it meanwhile."""
        with self.asked_by(BOSS) as boss:
            boss.ask("PATCH", f"api/v1/aliases/{quote(address)}", members)


class Program:
    """Talks to the page's endpoints without a browser."""

    def __init__(self, port: int) -> None:
        self._wire = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Content-Type": "application/json"}

    def answer(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and content."""
        self._wire.request(method, f"{BASE}/{path}", None if body is None else json.dumps(body), self._headers)
        answer = self._wire.getresponse()
        if cookie := answer.getheader("Set-Cookie"):
            self._headers["Cookie"] = cookie.partition(";")[0]
        content = answer.read()
        said = json.loads(content) if content else None
        if path == "session" and said and "csrf" in said:
            self._headers["X-CSRF-Token"] = said["csrf"]
        return answer.status, said

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The content of an answer that must be good."""
        status, said = self.answer(method, path, body)
        assert 200 <= status < 300, f"{method} {path}: {status} {said}"
        return said

    def close(self) -> None:
        self._wire.close()


@contextmanager
def opened(folder: Path) -> Iterator[House]:
    """The house, with one domain and no alias."""
    store = Folder(folder / "mail")
    let_in(store, ["tom", "ann", "boss"])
    issued = Authority(folder).issue("localhost")
    port, tls_port = free_port(), free_port()
    config = {
        "storage": store.storage(),
        "mailboxes": {"domains": [DOMAIN]},
        "pop3": {"listeners": []},
        "aliases": {"table": "sqlite"},
        "page": {
            "base": BASE,
            "admins": [BOSS],
            "listeners": [
                {"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"},
                {"endpoint": f"tcp:{tls_port}:interface=127.0.0.1", "tls": "implicit"},
            ],
        },
        "tls": {"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]},
    }
    with gateway.running(config) as running:
        house = House(running, port, tls_port)
        with house.asked_by(BOSS) as boss:
            boss.ask("POST", "api/v1/domains", {"name": DOMAIN})
        yield house
