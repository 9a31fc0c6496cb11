"""Who lives here, as the configuration and password files tell."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sesmail.assembly.accountfiles import AccountFiles, Content
from sesmail.assembly.residents import renew, residents
from sesmail.assembly.stores import blocking_stores, clients, places
from sesmail.config.load import from_text
from sesmail.errors import NoSuchMessage, TooLarge, Unavailable
from tests.servers.ports import wait_until

TEXT = """
storage: {{url: "file://{folder}"}}
mailboxes: {{domains: {domains}, default_domain: example.com}}
auth:
  checkers: [static, passwd, passwd-file]
  passwd_file: {file}
  passwd_cache: 30
  users:
    - {{name: sales, password: x, prefix: incoming/sales/, address: office@example.com}}
tls: {{self_signed: true}}
"""


class House:
    """A store with password files in it, and whoever lives there."""

    def __init__(self, folder: Path, domains: str = "[example.com]") -> None:
        self.folder = folder
        self.common = folder / "users"
        self.common.write_text("eve:{PLAIN}x\nbob@example.com:{PLAIN}x\n")
        self.put("example.com", "tom:x\nann@example.com:x\n")
        config = from_text(TEXT.format(folder=folder, file=self.common, domains=domains), "test", {"HOME": str(folder)})
        self.time = 0.0
        self.people = residents(config, places(config), blocking_stores(clients(config)), now=lambda: self.time)

    def put(self, domain: str, text: str) -> None:
        file = self.folder / "mailboxes" / domain / "passwd.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def prefix(self, account: str) -> str | None:
        place = self.people.place(account)
        return None if place is None else place.prefix


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("name", ["tom", "TOM@example.com", "ann", "ann@EXAMPLE.com", "bob", "eve", "eve@example.com"])
def test_an_account_in_a_password_file_has_its_mailbox(name: str, house: House) -> None:
    assert house.prefix(name) == f"mailboxes/example.com/{name[:3].lower()}/"


def test_an_account_of_the_configuration_has_its_own_place_by_name_and_address(house: House) -> None:
    assert {house.prefix(name) for name in ("sales", "Sales@example.com", "office@example.com")} == {"incoming/sales/"}


@pytest.mark.parametrize(
    "name",
    [
        "gone",
        "tom@example.org",
        "tom+shop",
        "../tom",
        "a/b",
        "",
        "@example.com",
        ".",
        "tom\0",
        "\udc80",
        "passwd.txt",
        "x" * 300,
    ],
)
def test_nobody_else_lives_there(name: str, house: House) -> None:
    assert house.people.place(name) is None


def test_a_domain_is_served_when_somebody_lives_in_it(tmp_path: Path) -> None:
    house = House(tmp_path, "any")
    house.put("example.net", "jack:x\n")
    house.common.write_text("bob@example.org:{PLAIN}x\n")
    assert [
        one for one in ("example.com", "example.net", "example.org", "elsewhere.example", "../x") if house.people.serves(one)
    ] == [
        "example.com",
        "example.net",
        "example.org",
    ]


def test_no_file_is_asked_for_of_a_domain_that_is_not_served(house: House) -> None:
    house.common.unlink()
    house.common.mkdir()
    assert not house.people.serves("elsewhere.example")
    assert house.people.place("tom@elsewhere.example") is None


def test_a_new_account_is_known_when_the_file_is_looked_at_again(house: House) -> None:
    assert house.prefix("new") is None
    house.put("example.com", "new:x\n")
    house.time = 29
    assert house.prefix("new") is None
    house.time = 31
    assert house.prefix("new") == "mailboxes/example.com/new/"
    assert house.prefix("tom") is None


def test_a_file_that_cannot_be_read_is_not_nobody(house: House) -> None:
    house.common.unlink()
    house.common.mkdir()
    with pytest.raises(Unavailable):
        house.people.place("bob")


def waiting(threads: list[threading.Thread]) -> None:
    """Return when all of these wait for another's attempt."""

    def waits(thread: threading.Thread) -> bool:
        frame = sys._current_frames().get(thread.ident or 0)
        return frame is not None and frame.f_code.co_name == "names" and "ended" in frame.f_locals

    wait_until(lambda: all(map(waits, threads)), seconds=30, what=lambda: "they do not wait")


def kept(load: Callable[[str, str | None], Content | None], *, limit: int = 10) -> AccountFiles:
    return AccountFiles(load, 30, time.monotonic, limit=limit)


def test_a_file_is_loaded_once_however_many_ask() -> None:
    loads: list[str] = []

    def load(domain: str, known: str | None) -> Content:
        loads.append(domain)
        waiting([thread for thread in threads if thread is not threading.current_thread()])
        return Content(b"tom:x\n", "1")

    files = kept(load)
    threads = [threading.Thread(target=files.names, args=["example.com"]) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["example.com"]


def test_who_waits_for_an_attempt_that_fails_does_not_repeat_it_and_the_next_one_does() -> None:
    loads: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def load(domain: str, known: str | None) -> Content:
        loads.append(domain)
        begun.set()
        go_on.wait(30)
        raise TooLarge

    files, errors = kept(load), []

    def ask() -> None:
        try:
            files.names("example.com")
        except Unavailable as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    threads[0].start()
    assert begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    waiting(threads[1:])
    go_on.set()
    for thread in threads:
        thread.join()
    assert (len(errors), loads) == (8, ["example.com"])
    ask()
    assert len(loads) == 2


def test_a_file_that_is_gone_is_forgotten_and_few_are_kept() -> None:
    there = {"a": b"tom:x\n", "b": b"tom:x\n", "c": b"tom:x\n"}
    asked: list[tuple[str, str | None]] = []

    def load(domain: str, known: str | None) -> Content | None:
        asked.append((domain, known))
        if domain not in there:
            raise NoSuchMessage
        return None if known else Content(there[domain], "1")

    clock = [0.0]
    files = AccountFiles(load, 30, lambda: clock[0], limit=2)
    for domain in ("a", "b", "c", "a"):
        assert files.names(domain).users == {"tom"}
    assert asked == [("a", None), ("b", None), ("c", None), ("a", None)]
    clock[0] = 31
    assert files.names("a").users == {"tom"}
    assert asked[-1] == ("a", "1")
    del there["a"]
    clock[0] = 62
    assert files.names("a").users == frozenset()


def test_a_changed_configuration_has_its_own_accounts_and_believes_no_file_that_was_read(house: House, tmp_path: Path) -> None:
    assert house.prefix("new@example.com") is None
    house.put("example.com", "new:x\n")
    text = TEXT.format(folder=tmp_path, file=house.common, domains="[example.com]").replace("sales", "orders")
    config = from_text(text, "test", {"HOME": str(tmp_path)})
    renew(house.people, config, places(config), blocking_stores(clients(config)))
    assert house.prefix("new@example.com") == "mailboxes/example.com/new/"
    assert house.prefix("tom@example.com") is None
    assert house.prefix("orders") == "incoming/orders/"
    assert house.prefix("sales") is None
