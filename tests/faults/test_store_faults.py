"""Each request to S3 fails in each way: clients hear of trouble, never of anything else, and nothing is lost by it."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.clients.stores import Bucket
from tests.faults.cases import BIG, PASSWORD, TEMPORARY, Account, config, no_error_of_ours
from tests.faults.rawpop import Dropped, RawPop
from tests.servers import faultproxy, gateway, seaweed
from tests.servers.faultproxy import FaultProxy, Rule
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port

FAULTS = (
    Rule("", "500"),
    Rule("", "503"),
    Rule("", "403"),
    Rule("", "refuse"),
    Rule("", "reset"),
    Rule("", "reset", 100),
    Rule("", "short", 100),
    Rule("", "stall"),
    Rule("", "stall", 100),
)
# What a second attempt mends.
PASSING = tuple(replace(rule, times=1) for rule in FAULTS if rule.fault != "403")


@dataclass(frozen=True)
class World:
    """One gateway that reaches its bucket through the proxy."""

    bucket: Bucket
    proxy: FaultProxy
    gateway: Gateway

    @property
    def port(self) -> int:
        return self.gateway.ports[0]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    server = seaweed.running()
    bucket = Bucket(server)
    with faultproxy.before(server.endpoint) as proxy:
        storage = {**bucket.storage(), "endpoint": proxy.endpoint}
        with gateway.running(config(storage, free_port())) as running:
            yield World(bucket, proxy, running)


Case = Callable[[World, Account], None]


def passwd_requests(account: Account) -> str:
    return rf"^GET \S*/mailboxes/{account.domain}/passwd"


def list_requests(account: Account) -> str:
    return rf"^GET \S*list-type=2\S*{account.domain}"


def message_requests(account: Account) -> str:
    return rf"^GET \S*/mailboxes/{account.domain}/ann/"


def delete_requests(account: Account) -> str:
    return rf"(?s)^POST \S*\?delete.*/{account.domain}/ann/"


def single_delete_requests(account: Account) -> str:
    return rf"^DELETE \S*/{account.domain}/ann/"


def together(
    world: World, faults: Sequence[Rule], requests: Callable[[Account], str], case: Case, **account: Any
) -> list[Account]:
    """The case with each fault, side by side, each with its own account. Returns the accounts, when the faults are over."""
    accounts = _made(world, len(faults), **account)
    rules = [replace(fault, request=requests(one)) for fault, one in zip(faults, accounts, strict=True)]
    _fail(world, rules, case, accounts)
    return accounts


def _made(world: World, count: int, **account: Any) -> list[Account]:
    with ThreadPoolExecutor(8) as threads:
        return [one.result() for one in [threads.submit(Account, world.bucket, **account) for _ in range(count)]]


def _fail(world: World, rules: Sequence[Rule], case: Case, accounts: Sequence[Account]) -> None:
    world.proxy.fail(*rules)
    try:
        with no_error_of_ours(world.gateway.log), ThreadPoolExecutor(len(accounts)) as threads:
            wrong = [found for found in threads.map(lambda account: _wrong(world, case, account), accounts) if found]
    finally:
        applied = world.proxy.fail()
    assert not wrong, wrong + [str(rule) for rule in rules]
    assert all(applied), f"never applied: {[rule for rule, times in zip(rules, applied, strict=True) if not times]}"


def _wrong(world: World, case: Case, account: Account) -> str:
    try:
        case(world, account)
    except Exception:
        return f"{account.domain}: {traceback.format_exc()}"
    return ""


def check_nothing_is_lost(world: World, accounts: Sequence[Account]) -> None:
    for account in accounts:
        assert account.left() == list(range(1, len(account.mails) + 1))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda account: account.check_all_is_served(world.port, account.left()), accounts))


def is_refused_for_a_time(world: World, account: Account) -> None:
    with RawPop(world.port) as pop:
        said = pop.login(account.user, PASSWORD)
        assert said.startswith(TEMPORARY), said
        assert pop.ask("QUIT").startswith(b"+OK")


def is_served(world: World, account: Account) -> None:
    account.check_all_is_served(world.port, range(1, len(account.mails) + 1))


def test_a_login_whose_passwd_file_cannot_be_read_is_refused_for_a_time(world: World) -> None:
    faults = [*FAULTS, Rule("", "404-bucket")]
    check_nothing_is_lost(world, together(world, faults, passwd_requests, is_refused_for_a_time, small=1, big=0))


def test_a_mailbox_that_cannot_be_listed_is_not_an_empty_one(world: World) -> None:
    faults = [*FAULTS, Rule("", "404"), Rule("", "404-bucket")]
    check_nothing_is_lost(world, together(world, faults, list_requests, is_refused_for_a_time, small=1, big=0))


@pytest.mark.parametrize(("requests", "big"), [(passwd_requests, 0), (list_requests, 0), (message_requests, BIG)])
def test_what_passes_is_not_noticed(world: World, requests: Callable[[Account], str], big: int) -> None:
    check_nothing_is_lost(world, together(world, PASSING, requests, is_served, big=big))


def test_a_message_that_cannot_be_read_is_refused_and_the_session_goes_on(world: World) -> None:
    def case(world: World, account: Account) -> None:
        with account.log_in(world.port) as pop:
            for asked in ("RETR 1", "TOP 2 0"):
                status, rest = pop.fetch(asked)
                assert (status[: len(TEMPORARY)], rest) == (TEMPORARY, b""), asked
            assert pop.ask("STAT").startswith(b"+OK 3 ")
            assert pop.ask("QUIT").startswith(b"+OK")

    check_nothing_is_lost(world, together(world, FAULTS, message_requests, case, big=0))


def test_a_message_that_went_away_since_the_listing_is_told_as_such(world: World) -> None:
    def case(world: World, account: Account) -> None:
        with account.log_in(world.port) as pop:
            assert pop.fetch("RETR 1") == (b"-ERR no such message\r\n", b"")
            assert pop.fetch("RETR 4") == (b"-ERR no such message\r\n", b"")
            assert pop.ask("STAT").startswith(b"+OK 4 ")

    check_nothing_is_lost(world, together(world, [Rule("", "404")], message_requests, case))


def breaks_off(world: World, account: Account) -> None:
    with account.log_in(world.port) as pop:
        try:
            status, heard = pop.fetch("RETR 4")
        except Dropped as dropped:
            status, heard = b"", dropped.heard
    # Before its first octet a failure may still be called by its name.
    assert status.startswith(TEMPORARY) or account.wire(4).startswith(heard), status
    assert len(heard) < len(account.wire(4)) - 1000


BREAKS = tuple(
    (Rule("", first, octets), then)
    for octets in (100_000, 0, 2_500_000)
    for first in ("reset", "short", "stall")
    for then in (Rule("", "500"), Rule("", "reset", 0), Rule("", "404"), Rule("", "403"), Rule("", "stall", 0))
)


def test_a_big_message_that_breaks_off_has_no_end(world: World) -> None:
    # The first request breaks after so many octets, and those for the rest get nowhere.
    check_nothing_is_lost(world, _in_two_steps(world, BREAKS[:15:2], breaks_off))


@pytest.mark.proof
@pytest.mark.limit(600)
def test_a_big_message_that_breaks_off_anywhere_has_no_end(world: World) -> None:
    for start in range(0, len(BREAKS), 9):
        check_nothing_is_lost(world, _in_two_steps(world, BREAKS[start : start + 9], breaks_off))


def test_a_big_message_that_breaks_off_once_goes_on_by_range(world: World) -> None:
    first = [Rule("", fault, 1_000_000, times=1) for fault in ("reset", "short", "stall")]
    then = (Rule("", "500", times=1), Rule("", "reset", 500_000, times=1), Rule("", "stall", 500_000, times=1))
    check_nothing_is_lost(world, _in_two_steps(world, [(one, two) for one in first for two in then], is_served))


def _in_two_steps(world: World, faults: Sequence[tuple[Rule, Rule]], case: Case) -> list[Account]:
    """As `together`, with one fault for the first request for the big message and another for those for parts of it."""
    accounts = _made(world, len(faults))
    rules = []
    for (first, then), account in zip(faults, accounts, strict=True):
        rules.append(replace(first, request=rf"/{account.domain}/ann/0+3 HTTP/1.1\n"))
        rules.append(replace(then, request=rf"/{account.domain}/ann/0+3 .* ranged\n"))
    _fail(world, rules, case, accounts)
    return accounts


def removes_two(world: World, account: Account) -> None:
    with account.log_in(world.port) as pop:
        assert pop.ask("DELE 1").startswith(b"+OK")
        assert pop.ask("DELE 3").startswith(b"+OK")
        said = pop.ask("QUIT")
    left = account.left()
    # Where an answer was lost, the second attempt may have found that all is done.
    assert said.startswith(TEMPORARY) or left == [2], said
    assert 2 in left


def check_the_rest_is_served(world: World, faults: Sequence[Rule], accounts: Sequence[Account]) -> None:
    for fault, account in zip(faults, accounts, strict=True):
        if fault.fault not in ("reset", "short", "stall"):
            assert account.left() == [1, 2, 3], fault
        account.check_all_is_served(world.port, account.left())


def test_what_could_not_be_removed_together_is_told_and_nothing_else_goes(world: World) -> None:
    check_the_rest_is_served(world, FAULTS, together(world, FAULTS, delete_requests, removes_two, big=0))


def test_what_could_not_be_removed_one_by_one_is_told_and_nothing_else_goes(world: World) -> None:
    with gateway.running(config({**world.bucket.storage(), "endpoint": world.proxy.endpoint}, free_port())) as running:
        lesser = replace(world, gateway=running)
        # Once it was told that there are no batches it does not ask again.
        together(lesser, [Rule("", "501")], delete_requests, removes_two, big=0)
        check_the_rest_is_served(lesser, FAULTS, together(lesser, FAULTS, single_delete_requests, removes_two, big=0))


def storm(world: World, sessions: int, seed: int) -> None:
    """Many sessions while any request may fail in any way: each hears its own mail, or of trouble."""
    faults = [replace(rule, request=".", chance=0.03, octets=octets) for rule in FAULTS for octets in (-1, 0, 5_000, 1_500_000)]
    accounts = _made(world, 8)
    marked: dict[str, set[int]] = {account.domain: set() for account in accounts}
    world.proxy.fail(*faults)
    try:
        with no_error_of_ours(world.gateway.log), ThreadPoolExecutor(len(accounts)) as threads:
            weather = [
                threads.submit(_weather, world, account, random.Random(seed + place), sessions // 8, marked[account.domain])
                for place, account in enumerate(accounts)
            ]
            for one in weather:
                one.result()
    finally:
        world.proxy.fail()
    for account in accounts:
        left = account.left()
        assert set(range(1, 5)) - set(left) <= marked[account.domain]
        account.check_all_is_served(world.port, left)


def _weather(world: World, account: Account, chance: random.Random, sessions: int, marked: set[int]) -> None:
    for _ in range(sessions):
        try:
            with RawPop(world.port) as pop:
                _one_session(pop, account, chance, marked)
        except Dropped:
            continue


def _one_session(pop: RawPop, account: Account, chance: random.Random, marked: set[int]) -> None:
    said = pop.login(account.user, PASSWORD)
    if not said.startswith(b"+OK"):
        assert said.startswith((TEMPORARY, b"-ERR [IN-USE]")), said
        return
    _, rows = pop.fetch("UIDL")
    numbers = [int(row.split()[1]) + 1 for row in rows.split(b"\r\n")[:-2]]
    assert set(range(1, 5)) - set(numbers) <= marked
    for place, number in enumerate(numbers, 1):
        status, rest = pop.fetch(f"RETR {place}")
        assert rest == account.wire(number) if status.startswith(b"+OK") else status.startswith(TEMPORARY), status
    place = chance.randint(1, 40)
    if place <= len(numbers):
        marked.add(numbers[place - 1])
        assert pop.ask(f"DELE {place}").startswith(b"+OK")
    said = pop.ask("QUIT")
    assert said.startswith((b"+OK", TEMPORARY))


def test_a_short_storm_loses_nothing(world: World) -> None:
    storm(world, 16, seed=1)


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_a_long_storm_loses_nothing(world: World) -> None:
    storm(world, 2000, seed=2)
