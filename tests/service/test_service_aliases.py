"""A running gateway and the aliases that somebody changes beside it: who may send as them, and what their mail meets at each door."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from sesmail.aliases.records import Alias
from sesmail.aliases.sqlite import SqliteTable
from tests.servers.ports import wait_until
from tests.service.house import ANN, TOM, House, opened

MAIL = b"From: %b\r\nSubject: %b\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, SqliteTable]]:
    folder = tmp_path_factory.mktemp("aliases")
    socket = folder / "lmtp"
    with opened(
        folder,
        aliases={"map": None, "table": "sqlite", "file": str(folder / "aliases.db")},
        lmtp={"listeners": [{"endpoint": f"unix:{socket}", "tls": "none"}]},
    ) as house:
        wait_until(socket.is_socket, seconds=30, what=house.gateway.log)
        table = SqliteTable(str(folder / "aliases.db"))
        yield house, table
        table.close()


def alias(table: SqliteTable, name: str, *destinations: str, owner: str = "") -> Alias:
    return table.add(Alias(name, "example.com", destinations or (TOM,), str(uuid4()), owner=owner))


def heard(house: House, name: str) -> dict[str, int]:
    """What a recipient meets at RCPT, by submission and by LMTP."""
    address = f"{name}@example.com"
    with house.smtp(ANN) as smtp, smtplib.LMTP(str(house.folder / "lmtp"), local_hostname="mta", timeout=60) as lmtp:
        codes = {}
        for door, peer in (("submission", smtp), ("lmtp", lmtp)):
            peer.ehlo_or_helo_if_needed()
            peer.mail(ANN)
            codes[door] = peer.rcpt(address)[0]
    return codes


def send(house: House, name: str, subject: str) -> None:
    with house.smtp(ANN) as smtp:
        smtp.sendmail(ANN, f"{name}@example.com", MAIL % (ANN.encode(), subject.encode()))


def uses(table: SqliteTable, name: str) -> int:
    found = table.get(name, "example.com")
    assert found is not None
    return found.use_count


def test_what_is_changed_beside_the_gateway_counts_at_once(served: tuple[House, SqliteTable]) -> None:
    house, table = served
    assert heard(house, "shop") == {"submission": 550, "lmtp": 550}
    made = alias(table, "shop")
    assert heard(house, "shop+x") == {"submission": 250, "lmtp": 250}
    send(house, "shop+x", "delivered")
    house.wait_for_mail(TOM, b"Subject: delivered")
    wait_until(lambda: uses(table, "shop") == 1, seconds=30, what=house.gateway.log)
    now = table.change(made, replace(made, ignore=True))
    assert heard(house, "shop") == {"submission": 250, "lmtp": 250}
    send(house, "shop", "ignored")
    wait_until(lambda: uses(table, "shop") == 2, seconds=30, what=house.gateway.log)
    assert "reason=ignored" in house.gateway.log()
    table.change(now, replace(now, active=False))
    assert heard(house, "shop") == {"submission": 550, "lmtp": 550}
    assert not [message for message in house.mailbox(TOM) if b"Subject: ignored" in message]


def may_send(house: House, user: str, sender: str) -> bool:
    with house.smtp(user) as smtp:
        smtp.ehlo_or_helo_if_needed()
        return smtp.mail(sender)[0] == 250 and smtp.rcpt(TOM)[0] == 250


def test_an_account_sends_as_what_it_owns_and_as_what_leads_to_it(served: tuple[House, SqliteTable]) -> None:
    house, table = served
    alias(table, "owned", TOM, owner=ANN)
    assert may_send(house, ANN, "owned@example.com")
    assert may_send(house, TOM, "Owned+x@example.com")
    assert not may_send(house, "jack", "owned@example.com")
    assert not may_send(house, ANN, "unowned@example.com")


def test_one_message_to_several_aliases_of_one_person_is_one_copy_and_one_use_each(
    served: tuple[House, SqliteTable],
) -> None:
    house, table = served
    for name in ("one", "two"):
        alias(table, name)
    with smtplib.LMTP(str(house.folder / "lmtp"), local_hostname="mta", timeout=60) as lmtp:
        lmtp.ehlo()
        lmtp.mail("jack@else.example")
        for name in ("one", "two", "one+x"):
            assert lmtp.rcpt(f"{name}@example.com")[0] == 250
        assert [lmtp.data(MAIL % (b"jack@else.example", b"crowd"))[0], lmtp.getreply()[0], lmtp.getreply()[0]] == [
            250,
            250,
            250,
        ]
    assert len([message for message in house.mailbox(TOM) if b"Subject: crowd" in message]) == 1
    assert (uses(table, "one"), uses(table, "two")) == (1, 1)
