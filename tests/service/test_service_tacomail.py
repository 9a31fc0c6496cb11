"""A gateway that is started over the table that tacomail kept: the same rows serve its doors, its page, and people who send."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.aliases.tables import REGION, client, new_dynamodb
from tests.aliases.tacomail import legacy_alias
from tests.clients.browsing import Browser
from tests.servers.ports import free_port, wait_until
from tests.service.house import ANN, PASSWORD, TOM, House, opened

_KEYS = {"access_key_id": "AKIATHEIRS", "secret_access_key": "theirs"}
# As the README has it, and as the code does.
_README = {"configValue": {"SS": ["example.com"]}}
_CODE = {"configValues": {"L": [{"M": {"subdomain": {"S": "example.com"}, "active": {"BOOL": True}}}]}}


class Theirs:
    """The table, as tacomail left it: all goes to S3, and no destination is registered."""

    def __init__(self, domains: dict[str, Any]) -> None:
        self.name, _, self.endpoint = new_dynamodb().partition(":")[2].partition("@")
        self._client = client(self.endpoint)
        rows = (
            ("live", "S3", True, False),
            ("quiet", "S3", True, True),
            ("off", "S3", False, False),
            ("away", "x@else.example", True, False),
        )
        for local, to, active, ignore in rows:
            self._put(legacy_alias(local, "example.com", destination=to, active=active, ignore=ignore, identifier=str(uuid4())))
        self._put({"sub_domain": {"S": "tacomail-config"}, "alias_address": {"S": "sub_domains"}, **domains})

    def _put(self, item: dict[str, Any]) -> None:
        self._client.put_item(TableName=self.name, Item=item)

    def uses(self, local: str) -> int:
        key = {"sub_domain": {"S": "example.com"}, "alias_address": {"S": local}}
        return int(self._client.get_item(TableName=self.name, Key=key)["Item"]["use_count"]["N"])


@pytest.fixture(scope="module", params=[_README, _CODE], ids=["readme", "code"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Theirs, int]]:
    folder, theirs, port = tmp_path_factory.mktemp("theirs"), Theirs(request.param), free_port()
    where = {"table": "dynamodb", "dynamodb_table": theirs.name, "endpoint": theirs.endpoint, "region": REGION, "cache": "1s"}
    with opened(
        folder,
        aliases={"map": None, "mailbox": TOM, **where, **_KEYS},
        mailboxes={"domains": ["example.com"]},
        routing={"separators": ["+", "--", "#", "="], "forward_from": TOM},
        lmtp={"listeners": [{"endpoint": f"unix:{folder}/lmtp", "tls": "none"}]},
        page={"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}], "admins": [ANN], "tacomail": True},
    ) as house:
        wait_until((folder / "lmtp").is_socket, seconds=30, what=house.gateway.log)
        yield house, theirs, port


def heard(house: House, address: str, body: bytes | None = None) -> int:
    """What another mail server meets at RCPT, and after DATA if there is a body."""
    with smtplib.LMTP(str(house.folder / "lmtp"), local_hostname="mta", timeout=60) as lmtp:
        lmtp.ehlo()
        lmtp.mail("x@else.example")
        code = lmtp.rcpt(address)[0]
        return code if body is None else lmtp.data(body)[0]


def admin(port: int) -> Browser:
    browser = Browser(port)
    assert browser.log_in(ANN, PASSWORD).status == 200
    return browser


def test_what_changes_is_told_at_the_first_start_and_nothing_else_does(served: tuple[House, Theirs, int]) -> None:
    house, theirs, _ = served
    said = f"aliases of {theirs.name}: away@example.com: mail was delivered and is forwarded to x@else.example"
    wait_until(lambda: said in house.gateway.log(), seconds=30, what=house.gateway.log)
    assert house.gateway.log().count("aliases of ") == 1


def test_what_was_delivered_is_delivered_and_counted_and_what_was_not_is_not(served: tuple[House, Theirs, int]) -> None:
    house, theirs, _ = served
    codes = {name: heard(house, f"{name}@example.com") for name in ("live", "Live--tag#x", "quiet+x", "off", "nobody", "away")}
    assert codes == {"live": 250, "Live--tag#x": 250, "quiet+x": 250, "off": 550, "nobody": 550, "away": 250}
    for name in ("live=list", "quiet"):
        assert heard(house, f"{name}@example.com", b"Subject: to %b\r\n\r\nhello\r\n" % name.encode()) == 250
    house.wait_for_mail(TOM, b"Subject: to live=list")
    assert not [message for message in house.mailbox(TOM) if b"Subject: to quiet" in message]
    wait_until(lambda: (theirs.uses("live"), theirs.uses("quiet")) == (2, 2), seconds=30, what=house.gateway.log)


def may_send(house: House, user: str, sender: str) -> bool:
    with house.smtp(user) as smtp:
        smtp.ehlo_or_helo_if_needed()
        return smtp.mail(sender)[0] == 250 and smtp.rcpt(TOM)[0] == 250


def test_whose_mailbox_s3_is_sends_as_its_aliases(served: tuple[House, Theirs, int]) -> None:
    house, _, _ = served
    assert may_send(house, TOM, "live@example.com")
    assert not may_send(house, ANN, "live@example.com")
    assert not may_send(house, TOM, "off@example.com")


def test_rows_without_an_owner_are_the_administrators_who_give_them_away(served: tuple[House, Theirs, int]) -> None:
    house, _, port = served
    boss, tom = admin(port), Browser(port)
    tom.log_in(TOM, PASSWORD)
    path = "/api/v1/aliases/live@example.com"
    assert [one["name"] for one in boss.ask("GET", "/api/v1/domains").said["domains"]] == ["example.com"]
    assert {one["local"] for one in boss.ask("GET", "/api/v1/aliases?q=@example").said["aliases"]} >= {
        "live",
        "quiet",
        "off",
        "away",
    }
    assert (tom.ask("GET", path).status, tom.ask("GET", "/alias?alias=live@example.com").status) == (404, 405)
    assert boss.ask("PATCH", path, {"owner": "tom@example.com"}).status == 200
    assert tom.ask("GET", "/alias?alias=live@example.com").said[0]["destination"] == "S3"
    assert tom.ask("PATCH", path, {"active": False}).status == 200
    wait_until(lambda: heard(house, "live@example.com") == 550, seconds=30, what=house.gateway.log)
    assert tom.ask("PATCH", path, {"active": True}).status == 200
    wait_until(lambda: heard(house, "live@example.com") == 250, seconds=30, what=house.gateway.log)
