"""The API has the rights that the configuration gives."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import mkdtemp

import pytest

from sesmail.aliases.records import Domain
from sesmail.aliases.sqlite import SqliteTable
from sesmail.api.http import Caller, Request
from sesmail.assembly.aliasapi import administrators, alias_api
from sesmail.assembly.residents import residents
from sesmail.assembly.stores import blocking_stores, clients, places
from sesmail.config.load import from_text

_TEXT = """
storage: {{url: "file://{folder}/store"}}
mailboxes: {{domains: [example.com], default_domain: example.com}}
page: {{most_aliases: {most}, admins: [postmaster, Ann@Example.com]}}
tls: {{self_signed: true}}
"""


def made(folder: Path, most: int, admin: bool, count: int, more: str = "", **members: object) -> list[int]:
    """The statuses of so many new aliases that Tom makes."""
    config = from_text(_TEXT.format(folder=folder, most=most) + more, "test", {"HOME": str(folder)})
    (folder / "store").mkdir(exist_ok=True)
    folder = Path(mkdtemp(dir=folder))
    table = SqliteTable(str(folder / "aliases.db"))
    table.add_domain(Domain("example.com"))
    api = alias_api(config, table, residents(config, places(config), blocking_stores(clients(config))))
    caller = Caller("tom@example.com", admin=admin, address="tom@example.com")

    def status(number: int) -> int:
        body = json.dumps({"local": f"a{number}", "domain": "example.com", **members}).encode()
        return api.respond(Request("POST", "/api/v1/aliases", "", {"content-type": "application/json"}, body), caller).status

    statuses = [status(number) for number in range(count)]
    table.close()
    return statuses


def test_users_make_as_many_aliases_as_it_says(tmp_path: Path) -> None:
    assert made(tmp_path, 2, False, 3) == [201, 201, 403]
    assert made(tmp_path, 0, False, 1) == [403]
    assert made(tmp_path, 0, True, 2) == [201, 201]


def test_administrators_are_named_as_people_name_them(tmp_path: Path) -> None:
    config = from_text(_TEXT.format(folder=tmp_path, most=1), "test", {"HOME": str(tmp_path)})
    assert administrators(config) == {"postmaster@example.com", "ann@example.com"}


@pytest.mark.parametrize(("mailbox", "status"), [("tom", 201), ("Tom@Example.com", 201), ("ann", 403)])
def test_s3_is_for_him_whose_mailbox_the_configuration_names(tmp_path: Path, mailbox: str, status: int) -> None:
    assert made(tmp_path, 5, False, 1, f"aliases: {{mailbox: {mailbox}}}\n", destinations=["S3"]) == [status]
