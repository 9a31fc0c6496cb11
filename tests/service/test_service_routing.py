"""Mail that people here send to people here goes wherever the addresses lead, as mail from SES does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.lmtpsink import Sink, keeping
from tests.servers.ports import wait_until
from tests.service import house as houses
from tests.service.house import ANN, TOM, House

MAIL = (
    b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <%d@laptop>\r\nFrom: tom@example.com\r\nTo: x\r\n\r\n\xe4 .body\r\n"
)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Sink]:
    with keeping() as sink:
        yield sink


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, dovecot: Sink) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "srv").mkdir()
    routing = {
        "domain_aliases": [{"domain": "example.net", "as": "example.com"}],
        "deny": ["trap@example.com"],
        "make_maildirs": True,
        "forward_from": "forwarder@example.com",
        "routes": [
            {
                "address": "all@example.com",
                "to": [TOM, ANN, "lmtp:archive", f"maildir:{folder}/srv/all", "eve@elsewhere.example"],
            },
            {"address": "count@example.com", "to": [f"pipe:sh -c 'wc -c > {folder}/srv/count'"]},
            {"address": "limbo@example.com", "to": ["hold:"]},
        ],
    }
    sections = {"routing": routing, "lmtp_out": {"host": "127.0.0.1", "port": dovecot.port}}
    with houses.opened(folder, **sections, relay={"local_domains": ["example.com", "example.net"]}) as house:
        yield house


def send(house: House, number: int, *recipients: str) -> None:
    smtp = house.smtp()
    assert smtp.sendmail(TOM, recipients, MAIL % number) == {}
    smtp.quit()


def code(house: House, recipient: str) -> int:
    smtp = house.smtp()
    smtp.mail(TOM)
    answer, _ = smtp.rcpt(recipient)
    smtp.quit()
    return answer


def test_one_address_leads_to_places_of_all_kinds(house: House, dovecot: Sink) -> None:
    send(house, 1, "all+tag@example.net")
    for user in (TOM, ANN):
        assert b"\xe4 .body" in house.wait_for_mail(user, b"<1@laptop>")
    (kept,) = dovecot.wait_for(1)
    assert (kept.sender, kept.recipients) == (TOM, ("archive",))
    assert kept.data.endswith(b"\xe4 .body\r\n")
    (filed,) = (house.folder / "srv/all/new").iterdir()
    assert b"<1@laptop>" in filed.read_bytes()
    (sent,) = (house.folder / "outbox").iterdir()
    assert b"X-Original-To: eve@elsewhere.example" in sent.read_bytes()


def test_a_command_gets_the_message(house: House) -> None:
    send(house, 2, "count@example.com")
    counted = house.folder / "srv/count"
    wait_until(lambda: counted.exists() and bool(counted.read_text()), seconds=30, what=house.gateway.log)
    assert int(counted.read_text()) > len(MAIL) - 20


def test_what_a_route_holds_is_accepted_and_held(house: House) -> None:
    send(house, 3, "limbo@example.com")
    held = house.folder / "mail/held"
    wait_until(lambda: held.exists() and any(held.iterdir()), seconds=30, what=house.gateway.log)


def test_who_is_nobody_or_denied_is_refused_at_once(house: House) -> None:
    answers = [code(house, f"{name}@example.com") for name in ("nobody", "trap", "trap+x", "limbo")]
    assert answers == [550, 550, 550, 250]


def test_the_map_is_read_again_on_a_hangup(house: House) -> None:
    assert code(house, "new@example.com") == 550
    (house.folder / "table").write_text("/^new@example\\.com$/ ann@example.com\n")
    house.gateway.signal(signal.SIGHUP)
    wait_until(lambda: code(house, "new@example.com") == 250, seconds=30, what=house.gateway.log)
    send(house, 4, "new@example.com")
    assert house.wait_for_mail(ANN, b"<4@laptop>")


def test_a_target_that_cannot_be_used_keeps_the_gateway_from_starting(tmp_path: Path) -> None:
    with (
        pytest.raises(Exception, match="a Maildir is named by an absolute path"),
        houses.opened(tmp_path, routing={"routes": [{"address": "a@example.com", "to": ["maildir:here"]}]}),
    ):
        pass
