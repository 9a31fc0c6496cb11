"""Sealed mail over POP3: read like any other, and whatever S3, KMS or the bucket do, no octet that was not checked goes out."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import boto3
import pytest

from sesmail.aws.kms import Kms
from sesmail.aws.sessions import Clients
from sesmail.interfaces import Keys, StorePlace
from sesmail.storage.s3 import S3Store
from sesmail.storage.sealed import SealingKey, seal
from tests.clients.stores import Bucket
from tests.faults.cases import BIG, TEMPORARY, Account, config, no_error_of_ours
from tests.faults.rawpop import RawPop
from tests.servers import faultproxy, gateway, moto, seaweed
from tests.servers.faultproxy import FaultProxy, Rule
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port

PLAIN = f"/{0:032}"


class SealedBucket(Bucket):
    """A bucket in which every message but each account's first is sealed, with its domain in the context."""

    def __init__(self, server: seaweed.S3Server) -> None:
        super().__init__(server)
        storage = self.storage()
        self.store = S3Store(server.client(), storage["url"].removeprefix("s3://"))
        keys = Keys(server.access_key, server.secret_key)
        place = StorePlace(storage["url"], region=server.region, endpoint=server.endpoint, keys=keys)
        client = boto3.client("kms", endpoint_url=moto.running(), region_name=server.region)
        self._key = client.create_key()["KeyMetadata"]["KeyId"]
        self._generate = functools.partial(Kms(Clients(), endpoint=moto.running()).generate, place)

    def put(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        for key, data in pairs:
            if key.endswith(("passwd.txt", PLAIN)):
                super().put([(key, data)])
            else:
                self.seal(key, data)

    def seal(self, key: str, data: bytes) -> None:
        """As SES does."""
        context = {"aws:ses:rule-name": key.split("/")[1]}
        sealed, metadata = seal(io.BytesIO(data), SealingKey(self._key, self._generate, "kms", context))
        with sealed:
            self.store.put(key, sealed, metadata=metadata)

    def change(self, key: str, change: Callable[[bytes], bytes] = bytes, **metadata: str) -> None:
        """Somebody writes the object anew, with other octets or other metadata."""
        old = self.store.head(key).metadata
        with self.store.open(key) as file:
            data = change(file.read())
        new = {**old, **{name.replace("_", "-"): value for name, value in metadata.items()}}
        self.store.put(key, data, metadata={name: value for name, value in new.items() if value})


@dataclass(frozen=True)
class World:
    """A gateway that reaches its bucket through one proxy and KMS through another."""

    bucket: SealedBucket
    s3: FaultProxy
    kms: FaultProxy
    gateway: Gateway

    @property
    def port(self) -> int:
        return self.gateway.ports[0]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    server = seaweed.running()
    bucket = SealedBucket(server)
    with faultproxy.before(server.endpoint) as s3, faultproxy.before(moto.running()) as kms:
        storage = {**bucket.storage(), "endpoint": s3.endpoint}
        # Each reading asks KMS.
        sealed = {"endpoint": kms.endpoint, "key_cache": 0}
        with gateway.running(config(storage, free_port(), sealed=sealed)) as running:
            yield World(bucket, s3, kms, running)


def _key(account: Account, number: int) -> str:
    return f"mailboxes/{account.domain}/ann/{number - 1:032}"


def _sizes(pop: RawPop) -> list[int]:
    return [int(row.split()[1]) for row in pop.fetch("LIST")[1].split(b"\r\n")[:-2]]


def test_sealed_mail_is_read_like_any_other_beside_mail_that_is_not(world: World) -> None:
    account = Account(world.bucket)
    sizes = [len(mail) for mail in account.mails]
    with account.log_in(world.port) as pop:
        assert _sizes(pop) == [sizes[0], *(size + 16 for size in sizes[1:])]
        header = account.mails[1].split(b"\r\n\r\n")[0] + b"\r\n\r\n.\r\n"
        assert pop.fetch("TOP 2 0")[1] == header
        assert pop.fetch("TOP 4 0")[1] == account.mails[3].split(b"\r\n\r\n")[0] + b"\r\n\r\n.\r\n"
        for number in (3, 1, 4, 2):
            assert pop.fetch(f"RETR {number}")[1] == account.wire(number)
        assert pop.ask("QUIT").startswith(b"+OK")
    with account.log_in_soon(world.port) as pop:
        assert _sizes(pop) == sizes
    account.check_all_is_served(world.port, range(1, 5))


def test_where_mail_is_said_to_be_sealed_its_size_is_right_from_the_beginning(world: World) -> None:
    account = Account(world.bucket, big=0)
    sections = {"mailboxes": {"places": [{"for": account.domain, "sealed": True}]}, "sealed": {"endpoint": world.kms.endpoint}}
    with gateway.running(config(world.bucket.storage(), free_port(), **sections)) as running:
        with account.log_in(running.ports[0]) as pop:
            assert _sizes(pop)[1:] == [len(mail) for mail in account.mails[1:]]
        account.check_all_is_served(running.ports[0], range(1, 4))


def _places(pop: RawPop) -> dict[int, int]:
    """Where the messages are now: what was written anew has come later."""
    rows = pop.fetch("UIDL")[1].split(b"\r\n")[:-2]
    return {int(row.split()[1]) + 1: int(row.split()[0]) for row in rows}


FAULTS = (
    *(Rule("", fault) for fault in ("500", "503", "403", "refuse", "reset", "stall")),
    *(Rule("", fault, 20) for fault in ("reset", "short", "stall")),
)


def _refused(world: World, account: Account) -> None:
    with account.log_in(world.port) as pop:
        for asked in ("RETR 2", "TOP 3 0", "RETR 4"):
            status, rest = pop.fetch(asked)
            assert (status[: len(TEMPORARY)], rest) == (TEMPORARY, b""), (asked, status, rest[:100])
        assert pop.ask("STAT").startswith(b"+OK 4 ")
        assert pop.ask("QUIT").startswith(b"+OK")


def _served(world: World, account: Account) -> None:
    account.check_all_is_served(world.port, range(1, 5))


def _together(
    world: World, proxy: FaultProxy, rules: Sequence[Rule], request: str, case: Callable[[World, Account], None]
) -> None:
    accounts = [Account(world.bucket) for _ in rules]
    told = [replace(rule, request=request.format(one.domain)) for rule, one in zip(rules, accounts, strict=True)]
    # A message that broke off is not gone on with, be it only a little.
    rest = [Rule(rf"/{one.domain}/ann/.* ranged\n", "500", times=rule.times) for rule, one in zip(rules, accounts, strict=True)]
    proxy.fail(*rest, *told)
    try:
        with no_error_of_ours(world.gateway.log), ThreadPoolExecutor(len(accounts)) as threads:
            list(threads.map(lambda account: case(world, account), accounts))
    finally:
        applied = proxy.fail()[len(rest) :]
    assert all(applied), list(zip(rules, applied, strict=True))
    for account in accounts:
        _served(world, account)


S3_REQUESTS = r"^GET \S*/mailboxes/{}/ann/0+[1-9]"
KMS_REQUESTS = r"(?s)^POST / .*{}"


@pytest.mark.parametrize("where", ["s3", "kms"])
def test_trouble_with_s3_or_kms_is_refused_for_a_time_and_nothing_goes_out(world: World, where: str) -> None:
    proxy, request = (world.s3, S3_REQUESTS) if where == "s3" else (world.kms, KMS_REQUESTS)
    _together(world, proxy, FAULTS, request, _refused)


@pytest.mark.parametrize("where", ["s3", "kms"])
def test_trouble_that_passes_is_not_noticed(world: World, where: str) -> None:
    proxy, request = (world.s3, S3_REQUESTS) if where == "s3" else (world.kms, KMS_REQUESTS)
    # S3 does not say 403 in passing; that KMS did not say so itself shows at its form.
    passing = [replace(rule, times=1) for rule in FAULTS if rule.fault != "403"]
    _together(world, proxy, passing, request, _served)


def test_a_refusal_of_kms_is_temporary_and_told_in_the_log(world: World) -> None:
    account = Account(world.bucket, big=0)
    world.bucket.change(_key(account, 2), x_amz_matdesc='{"aws:ses:rule-name": "another"}')
    with account.log_in(world.port) as pop:
        places = _places(pop)
        status, rest = pop.fetch(f"RETR {places[2]}")
        assert (status[: len(TEMPORARY)], rest) == (TEMPORARY, b"")
        assert pop.fetch(f"RETR {places[3]}")[1] == account.wire(3)
    world.gateway.wait_for_log(f"'{_key(account, 2)}' stays sealed: .*KMS refuses Decrypt: InvalidCiphertextException")


def _flipped(place: int) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[place] ^= 1
        return bytes(changed)

    return flip


@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize("change", [_flipped(0), _flipped(300), _flipped(-1), lambda data: data[:-1], lambda data: data[:400]])
def test_of_a_message_that_was_changed_or_cut_no_octet_goes_out(
    world: World, number: int, change: Callable[[bytes], bytes]
) -> None:
    account = Account(world.bucket, big=BIG if number == 4 else 0)
    world.bucket.change(_key(account, number), change)
    with account.log_in(world.port) as pop:
        places = _places(pop)
        for asked in (f"RETR {places[number]}", f"TOP {places[number]} 0"):
            status, rest = pop.fetch(asked)
            assert (status, rest) == (b"-ERR this message is damaged\r\n", b"")
        assert pop.fetch(f"RETR {places[1]}")[1] == account.wire(1)


def test_the_newer_envelope_is_refused_by_its_name(world: World) -> None:
    account = Account(world.bucket, big=0)
    world.bucket.change(_key(account, 2), x_amz_3="abcd", x_amz_c="115", x_amz_key_v2="")
    with account.log_in(world.port) as pop:
        said = pop.fetch(f"RETR {_places(pop)[2]}")
        assert said == (b"-ERR this message is sealed in a way that is not supported\r\n", b"")
    world.gateway.wait_for_log("stays sealed: .*version 3")


def test_a_message_that_can_never_be_in_memory_is_refused_and_the_others_are_not(world: World) -> None:
    account = Account(world.bucket, small=1, big=BIG)
    sections = {"read_ahead": {"total_bytes": "1 MiB", "session_bytes": "1 MiB"}, "sealed": {"endpoint": world.kms.endpoint}}
    with gateway.running(config(world.bucket.storage(), free_port(), **sections)) as running:
        with account.log_in(running.ports[0]) as pop:
            assert pop.fetch("RETR 2") == (b"-ERR too large\r\n", b"")
            assert pop.fetch("RETR 1")[1] == account.wire(1)
        running.wait_for_log("read_ahead.total_bytes")
