"""An API over a table of its own, and short ways to ask it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sesmail.aliases.records import Domain
from sesmail.aliases.sqlite import SqliteTable
from sesmail.aliases.table import Table
from sesmail.api.http import Caller, Request, Response
from sesmail.api.respond import Api
from sesmail.api.rights import Rights

NOW = 1_700_000_000
ROOT = Caller("root", admin=True)
ANN = Caller("ann@example.com", address="ann@example.com")
BOB = Caller("bob@example.com", address="bob@example.com")
RIGHTS = Rights(is_mailbox=lambda address: address in ("ann@example.com", "bob@example.com"), store_owner="ann@example.com")


@dataclass
class Asking:
    """Asks as `caller`, unless another one is named."""

    table: Table
    respond: Callable[[Request, Caller], Response]
    caller: Caller = ROOT
    base: str = "/api/v1/"

    def __call__(self, method: str, path: str, body: object = None, *, as_: Caller | None = None, **headers: str) -> Response:
        """`path` with its query; `headers` with ``_`` for ``-``."""
        octets = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named.setdefault("content-type", "application/json")
        path, _, query = path.partition("?")
        return self.respond(Request(method, self.base + path, query, named, octets), as_ or self.caller)

    def said(self, method: str, path: str, body: object = None, *, as_: Caller | None = None, **headers: str) -> Any:
        """What the answer says, which is one of success."""
        answer = self(method, path, body, as_=as_, **headers)
        assert 200 <= answer.status < 300, answer
        return json.loads(answer.body) if answer.body else None

    def detail(
        self, method: str, path: str, body: object = None, *, as_: Caller | None = None, **headers: str
    ) -> tuple[int, str]:
        """The status, and the property that is wrong or else what is said."""
        answer = self(method, path, body, as_=as_, **headers)
        assert answer.header("content-type") == "application/problem+json"
        said = json.loads(answer.body)
        assert said["status"] == answer.status
        assert said["title"]
        return answer.status, said["errors"][0]["pointer"] if "errors" in said else said["detail"]


def api(table: Table, rights: Rights = RIGHTS) -> Api:
    """With identifiers id-1, id-2 and so on, at NOW; tacomail's paths are there."""
    numbers = itertools.count(1)
    return Api(table, now=lambda: NOW, new_id=lambda: f"id-{next(numbers)}", rights=rights, tacomail=True)


def asking(folder: Path, *domains: str, rights: Rights = RIGHTS) -> Asking:
    """Over a new SQLite table with these domains, by default example.com; ``""`` for a table that was never given any."""
    table = SqliteTable(str(folder / "aliases.sqlite"))
    for name in domains or ("example.com",):
        if name:
            table.add_domain(Domain(name))
    return Asking(table, api(table, rights).respond)
