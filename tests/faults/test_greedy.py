"""Slow and greedy clients: what they take stays bounded, and others are served meanwhile."""

from __future__ import annotations

import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.clients.stores import Bucket, Folder
from tests.faults.cases import PASSWORD, Account, config
from tests.faults.rawpop import RawPop
from tests.servers import gateway, seaweed
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port, wait_until

MIB = 1 << 20
# Seconds in which others get a login, two messages and their end on a busy machine.
SERVED = 3.0


class Watch:
    """A gateway seen from outside: what it takes, and how long others wait."""

    def __init__(self, gateway: Gateway, other: Account) -> None:
        self.port = gateway.ports[0]
        self._process = Path(f"/proc/{gateway.pid}")
        self._other = other
        self.serve()
        self.before = self.rss()

    def rss(self) -> int:
        return int((self._process / "statm").read_text().split()[1]) * resource.getpagesize()

    def grown(self) -> int:
        """By how many octets, since it had served its first."""
        return self.rss() - self.before

    def descriptors(self) -> int:
        return len(list((self._process / "fd").iterdir()))

    def serve(self) -> float:
        """How many seconds another one's session takes."""
        began = time.monotonic()
        self._other.check_all_is_served(self.port, [1, 2])
        return time.monotonic() - began


@contextmanager
def watching(store: Bucket | Folder, **sections: Any) -> Iterator[Watch]:
    limits = {"connections": 6000, "connections_per_address": 6000}
    given = config(store.storage(), free_port(), **{"limits": limits, **sections})
    # Patience as by default: what is slow here is not the store.
    for option in ("connect_timeout", "read_timeout", "attempts"):
        given["storage"].pop(option, None)
    with gateway.running(given) as running:
        yield Watch(running, Account(store, small=2, big=0))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def connected(stack: ExitStack, port: int) -> socket.socket:
    """A client whose kernel takes little that is not read."""
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    client.connect(("127.0.0.1", port))
    return client


def never_read(store: Bucket | Folder, sessions: int, seconds: int, octets: int = 30 * MIB) -> None:
    """Sessions, each in the middle of a big message; every other one reads an octet a second."""
    account = Account(store, small=0, big=octets)
    with watching(store, mailboxes={"lock": "none"}) as watch, ExitStack() as stack:
        clients = [connected(stack, watch.port) for _ in range(sessions)]
        for client in clients:
            client.sendall(f"USER {account.user}\r\nPASS {PASSWORD}\r\nRETR 1\r\n".encode())
        # The first one waits behind all their logins.
        waited = [watch.serve()]
        for _ in range(seconds):
            time.sleep(1)
            for client in clients[::2]:
                client.recv(1)
            waited.append(watch.serve())
        measured(f"{sessions} sessions that do not read", grown=watch.grown(), first=waited[0], slowest=max(waited[1:]))
        assert waited[0] < 10 * SERVED
        assert max(waited[1:]) < SERVED
        assert watch.grown() < sessions * MIB * 1.5 + 32 * MIB


def test_sessions_that_do_not_read_do_not_keep_others_from_a_bucket() -> None:
    # More than there are connections to a store.
    never_read(Bucket(seaweed.running()), 100, seconds=2, octets=8 * MIB)


@pytest.mark.proof
def test_200_sessions_that_do_not_read_do_not_keep_others_from_a_bucket() -> None:
    never_read(Bucket(seaweed.running()), 200, seconds=20)


@pytest.mark.proof
def test_200_sessions_that_do_not_read_do_not_keep_others_from_a_directory(folder: Folder) -> None:
    never_read(folder, 200, seconds=20)


def test_5000_connections_are_kept_and_given_back(folder: Folder) -> None:
    with watching(folder) as watch:
        descriptors = watch.descriptors()
        with ExitStack() as stack:
            began = time.monotonic()
            clients = [connected(stack, watch.port) for _ in range(5000)]
            assert all(client.recv(100).startswith(b"+OK") for client in clients)
            took, waited = time.monotonic() - began, watch.serve()
            measured("5,000 connections", grown=watch.grown(), seconds=took, served=waited)
            assert watch.descriptors() >= 5000
            assert watch.grown() < 5000 * 20_000
            assert waited < SERVED
        wait_until(lambda: watch.descriptors() <= descriptors + 2, seconds=20, what=lambda: str(watch.descriptors()))
        assert watch.serve() < SERVED


def test_connections_above_the_limit_are_closed_and_cost_nothing(folder: Folder) -> None:
    with watching(folder, limits={"connections": 100, "connections_per_address": 100}) as watch, ExitStack() as stack:
        kept = [connected(stack, watch.port) for _ in range(100)]
        assert all(client.recv(100).startswith(b"+OK") for client in kept)
        descriptors = watch.descriptors()
        for _ in range(1000):
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", watch.port), 30) as client:
                assert client.recv(100) == b""
        assert watch.descriptors() <= descriptors + 2
        kept.pop().close()
        wait_until(lambda: watch.descriptors() < descriptors, seconds=10, what=lambda: str(watch.descriptors()))
        assert watch.serve() < SERVED


def measured(what: str, **figures: float) -> None:
    """Shown by `pytest -rP`, and when the test fails."""
    sys.stdout.write(f"{what}: {' '.join(f'{name}={figure:.6g}' for name, figure in figures.items())}\n")


class Flood:
    """A session that says more than anybody may, and reads the answers or does not."""

    def __init__(self, pop: RawPop, said: bytes) -> None:
        self.answered = self.sent = 0
        self._socket = pop.socket
        self._socket.setblocking(False)
        self._said = memoryview(said)

    def say(self) -> None:
        with suppress(BlockingIOError):
            while self.sent < len(self._said):
                self.sent += self._socket.send(self._said[self.sent :][:65536])

    def hear(self) -> None:
        with suppress(BlockingIOError):
            while data := self._socket.recv(1 << 18):
                self.answered += data.count(b"\n")


def flooded(folder: Folder, said: bytes, answers: int) -> None:
    """A session says all this and reads the answers until there were so many. Others are served meanwhile."""
    account = Account(folder, small=1, big=0)
    with watching(folder) as watch, account.log_in(watch.port) as pop:
        flood, slowest, ends = Flood(pop, said), 0.0, time.monotonic() + (60 if answers else 2)
        while time.monotonic() < ends and (not answers or flood.answered < answers):
            flood.say()
            if answers:
                flood.hear()
            slowest = max(slowest, watch.serve())
        measured("a flood of commands", grown=watch.grown(), sent=flood.sent, slowest=slowest)
        assert flood.answered == answers
        # What nobody reads the answers to is not taken, either.
        assert answers or flood.sent < len(said)
        assert watch.grown() < 8 * MIB
        assert slowest < SERVED


def test_200_000_noops_at_once_take_little_and_hold_up_nobody(folder: Folder) -> None:
    flooded(folder, b"NOOP\r\n" * 200_000, 200_000)


def test_millions_of_commands_whose_answers_nobody_reads_are_held_back(folder: Folder) -> None:
    flooded(folder, b"CAPA\r\n" * 4_000_000, 0)


def test_an_octet_a_second_lasts_only_so_long(folder: Folder) -> None:
    with watching(folder, pop3={"login_timeout": 3}) as watch, ExitStack() as stack:
        descriptors = watch.descriptors()
        clients = [connected(stack, watch.port) for _ in range(100)]
        began, slowest = time.monotonic(), 0.0
        for octet in b"USER somebody":
            with suppress(ConnectionError):
                for client in clients:
                    client.sendall(bytes([octet]))
            slowest = max(slowest, watch.serve())
            if watch.descriptors() <= descriptors + 2:
                break
            time.sleep(1)
        assert 2 < time.monotonic() - began < 10
        assert slowest < SERVED
        assert watch.grown() < 8 * MIB
