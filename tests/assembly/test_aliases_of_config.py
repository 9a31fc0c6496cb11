"""Where mail goes, who may send and what is counted, with a table of aliases beside everything else that knows addresses."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from sesmail.aliases.records import Alias, Domain
from sesmail.aliases.table import Table
from sesmail.assembly.sorting import Receiving, receiving
from sesmail.aws.receipt import Notice
from sesmail.config.load import from_text
from sesmail.delivery.journey import Sorted
from sesmail.delivery.local import refusal
from sesmail.delivery.plan import Destination, Drop, Forward, Hold, Mailbox, Reason
from sesmail.delivery.reception import Handover
from sesmail.errors import Refused
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Verdict

_TEXT = """
storage: {{url: "file://{folder}/store"}}
mailboxes: {{domains: [example.com], default_domain: example.com}}
auth:
  checkers: [static, passwd]
  users:
    - {{name: jim, password: x, address: james@example.com}}
aliases: {{table: sqlite, file: "{folder}/aliases.db"{more}}}
incoming: {{prefix: new/}}
routing:
  separators: ["+", "--", "#", "="]
  forward_from: forwarder@example.com
  deny: [evil@shop.example]
  routes:
    - {{address: routed@shop.example, to: [ann@example.com]}}
tls: {{self_signed: true}}
"""
_ID = "0123456789abcdefghijklmnopqrstuv"
_TOM, _ANN = "tom@example.com", "ann@example.com"
_MAIL = b"Subject: hello\r\n\r\nhello\r\n"


class House:
    """Tom and Ann have a mailbox each, and so has Jim, who logs in with his nickname."""

    def __init__(self, folder: Path, more: str = "") -> None:
        (folder / "store/mailboxes/example.com").mkdir(parents=True)
        (folder / "store/mailboxes/example.com/passwd.txt").write_text("tom:x\nann:x\n")
        self.store = folder / "store"
        self.end = ExitStack()
        self.mail: Receiving = receiving(
            from_text(_TEXT.format(folder=folder, more=more), "test", {"HOME": str(folder)}), self.end
        )
        assert self.mail.aliases is not None
        self.table: Table = self.mail.aliases

    def alias(self, address: str, *destinations: str, active: bool = True, ignore: bool = False, owner: str = "") -> Alias:
        local, _, domain = address.rpartition("@")
        return self.table.add(Alias(local, domain, destinations or (_TOM,), str(uuid4()), active, ignore, owner))

    def leads(self, address: str) -> list[Destination]:
        return [step.destination for step in self.mail.routing.plan("", (address,)).steps]

    def boxes(self, address: str) -> list[str]:
        return [one.place.prefix.split("/")[-2] for one in self.leads(address) if isinstance(one, Mailbox)]

    def uses(self, address: str) -> int:
        local, _, domain = address.rpartition("@")
        found = self.table.get(local, domain)
        assert found is not None
        return found.use_count


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.end.close()


def test_an_alias_leads_to_mailboxes_and_to_addresses_elsewhere(house: House) -> None:
    house.alias("shop@shop.example", _TOM, "james@example.com", "friend@elsewhere.example")
    assert house.boxes("Shop--x@shop.example") == ["tom", "jim"]
    assert Forward("friend@elsewhere.example") in house.leads("shop@shop.example")


def test_what_the_configuration_says_comes_before_the_table(house: House) -> None:
    for name in ("routed", "evil"):
        house.alias(f"{name}@shop.example")
    assert house.boxes("routed@shop.example") == ["ann"]
    assert house.leads("evil@shop.example") == [Drop(Reason.DENIED)]


def test_an_alias_comes_before_an_account_of_its_name(house: House) -> None:
    house.alias(_ANN, _TOM)
    assert house.boxes(_ANN) == ["tom"]
    house.alias(_TOM, _TOM, "james@example.com")
    assert house.boxes(_TOM) == ["tom", "jim"]


def test_mail_for_a_domain_of_the_table_is_never_forwarded_to_ourselves(house: House) -> None:
    house.alias("shop@shop.example", "gone@shop.example")
    house.table.add_domain(Domain("shop.example"))
    assert house.leads("shop@shop.example") == [Hold(Reason.UNKNOWN)]


def test_the_mailbox_for_older_tables_is_that_of_the_configuration_or_of_the_owner(tmp_path: Path) -> None:
    for number, (more, wanted) in enumerate([(", mailbox: tom", ["tom"]), ("", ["ann"])]):
        (tmp_path / str(number)).mkdir()
        house = House(tmp_path / str(number), more)
        house.alias("old@shop.example", "S3", owner=_ANN)
        assert house.boxes("old@shop.example") == wanted
        house.end.close()


def test_without_an_owner_or_a_mailbox_mail_of_older_tables_is_kept(house: House) -> None:
    house.alias("old@shop.example", "S3")
    assert house.leads("old@shop.example") == [Hold(Reason.BAD_TARGET)]
    assert check(house, "old@shop.example") == "250"


def check(house: House, address: str) -> str:
    try:
        Handover(house.mail.routing.plan, house.mail.local.deliver).check(address)
    except Refused as error:
        return str(error.smtp)
    return "250"


def test_another_mail_server_hears_at_once_who_takes_no_mail(house: House) -> None:
    house.alias("shop@shop.example")
    house.alias("off@shop.example", active=False)
    house.alias("quiet@shop.example", ignore=True)
    said = {name: check(house, f"{name}@shop.example") for name in ("shop+x", "off+x", "quiet+x", "nobody")}
    assert said == {"shop+x": "250", "off+x": "550 5.2.1", "quiet+x": "250", "nobody": "550 5.1.1"}


def test_ignored_mail_is_accepted_and_dropped(house: House) -> None:
    house.alias("quiet@shop.example", ignore=True)
    (outcome,) = house.mail.local.deliver(Envelope("x@else.example", ("quiet@shop.example",)), io.BytesIO(_MAIL)).values()
    assert outcome.verdict is Verdict.ACCEPTED
    assert not list(house.store.rglob("*.eml"))
    assert house.uses("quiet@shop.example") == 1


def test_mail_from_ses_reaches_bcc_and_lists_and_nobody_whom_only_its_header_names(house: House) -> None:
    house.alias("shop@shop.example")
    house.alias("live@shop.example", _ANN)
    (house.store / "new").mkdir()
    (house.store / "new" / _ID).write_bytes(b"To: live@shop.example\r\n" + _MAIL)
    notice = Notice(_ID, house.mail.inbox.bucket, f"new/{_ID}", 1e6, ("shop+tag@shop.example",), sender="x@else.example")
    assert house.mail.sorter.sort(notice) is Sorted.DONE
    assert house.mail.sorter.sort(notice, again=True) is Sorted.GONE
    assert (house.uses("shop@shop.example"), house.uses("live@shop.example")) == (1, 0)
    assert [file.parent.name for file in house.store.rglob(_ID)] == ["tom"]


@pytest.mark.parametrize(
    ("account", "address", "may"),
    [
        ("ann@example.com", "owned@shop.example", True),
        ("ann@example.com", "Owned+x@shop.example", True),
        ("tom@example.com", "owned@shop.example", True),
        ("jim@example.com", "owned@shop.example", False),
        ("jim@example.com", "james-only@shop.example", True),
        ("tom@example.com", "james-only@shop.example", False),
        ("ann@example.com", "off@shop.example", False),
        ("ann@example.com", "nobody@shop.example", False),
    ],
)
def test_people_send_as_what_they_own_and_as_what_leads_to_them(house: House, account: str, address: str, may: bool) -> None:
    house.alias("owned@shop.example", _TOM, owner=_ANN)
    house.alias("james-only@shop.example", "james@example.com")
    house.alias("off@shop.example", owner=_ANN, active=False)
    assert house.mail.senders.may_send_as(account, address) is may


def test_the_reason_is_told_where_an_address_takes_no_mail(house: House) -> None:
    house.alias("off@shop.example", active=False)
    (end,) = house.leads("off@shop.example")
    said = refusal(end)
    assert said is not None
    assert said.reply.startswith("550 5.2.1")
