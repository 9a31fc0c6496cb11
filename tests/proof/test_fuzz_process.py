"""The fuzz against a gateway as people run it: over sockets, over TLS and not, with many clients at once."""

from __future__ import annotations

import os
import poplib
import random
import resource
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.proof.answers import statuses
from tests.proof.shaky import USERS, mails, marker, name, on_the_wire, password
from tests.proof.talk import cut, talk
from tests.servers import gateway
from tests.servers.certificates import Authority
from tests.servers.gateway import Gateway
from tests.servers.ports import free_ports

_CLIENTS = 16
_GROWTH = 48 * 1024 * 1024


def _mailbox(root: Path, user: int) -> Path:
    return root / "mail/mailboxes/example.com" / f"user{user}"


def _fill(root: Path, user: int) -> None:
    folder = _mailbox(root, user)
    folder.mkdir(parents=True, exist_ok=True)
    for key, mail in mails(user).items():
        file = folder / key.rpartition("/")[2]
        if not file.exists():
            file.write_bytes(mail)
            os.utime(file, (1_795_258_800, 1_795_258_800))


@contextmanager
def serving(root: Path) -> Iterator[Gateway]:
    for user in USERS:
        _fill(root, user)
    issued = Authority(root).issue("localhost")
    users = [{"name": name(user).decode(), "password": password(user).decode()} for user in USERS]
    endpoints = [f"tcp:{port}:interface=127.0.0.1" for port in free_ports(2)]
    config: dict[str, Any] = {
        "storage": {"url": (root / "mail").as_uri()},
        "auth": {"checkers": ["static"], "users": users, "throttle_wait": 0},
        "tls": {"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]},
        "pop3": {
            "listeners": [{"endpoint": endpoints[0], "tls": "starttls"}, {"endpoint": endpoints[1], "tls": "implicit"}],
            "strike_delay": 0,
        },
        "log": {"level": "warning"},
    }
    with gateway.running(config) as running:
        yield running


class Caller:
    """One client: a talk, in pieces, and all that it heard."""

    def __init__(self, seed: str, running: Gateway) -> None:
        self._chance = random.Random(seed)
        self._ports = running.ports
        self.user = self._chance.choice(USERS)
        self.said = talk(self._chance, self.user)
        self.heard = b""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._context = context

    def call(self) -> None:
        with suppress(OSError), socket.socket() as client:
            client.settimeout(10)
            secure = self._chance.random() < 0.3
            client.connect(("127.0.0.1", self._ports[secure]))
            with self._wrapped(client, secure) as connection:
                self._talk(connection)

    def _wrapped(self, client: socket.socket, secure: bool) -> socket.socket:
        if not secure and self._chance.random() < 0.2:
            client.recv(100)
            client.sendall(b"STLS\r\n")
            secure = client.recv(100).startswith(b"+OK")
        return self._context.wrap_socket(client) if secure else client

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(0.002)
        for piece in cut(self._chance, self.said):
            self._send(connection, piece)
            self._hear(connection)
        connection.settimeout(self._chance.choice((0.01, 0.3)))
        self._hear(connection)

    def _send(self, connection: socket.socket, piece: bytes) -> None:
        connection.settimeout(10)
        if piece:
            connection.sendall(piece)
        connection.settimeout(0.002)

    def _hear(self, connection: socket.socket) -> None:
        with suppress(TimeoutError, ssl.SSLWantReadError):
            while data := connection.recv(1 << 16):
                self.heard += data

    def check(self) -> Counter[str]:
        assert not [other for other in USERS if other != self.user and marker(other) in self.heard]
        heard = self.heard.partition(b"+OK begin TLS\r\n")[0]
        found = statuses(heard, on_the_wire(self.user))
        return Counter(answers=len(found), messages=sum(status.endswith(b" octets\r\n") for status in found))

    @property
    def removes(self) -> bool:
        return b"QUIT" in self.said.upper() and b"DELE" in self.said.upper()


class Fuzz:
    """Talks by number. Those of one user come one after the other, so that what is gone is known to be the doing of one."""

    def __init__(self, root: Path, seed: str, running: Gateway) -> None:
        self._root, self._seed, self._running = root, seed, running
        self._locks = {user: threading.Lock() for user in USERS}
        self._removes = dict.fromkeys(USERS, False)

    def talk(self, number: int) -> Counter[str]:
        """One of them. Raises AssertionError."""
        caller = Caller(f"{self._seed} {number}", self._running)
        with self._locks[caller.user]:
            caller.call()
            folder = _mailbox(self._root, caller.user)
            gone = [key for key in mails(caller.user) if not (folder / key.rpartition("/")[2]).exists()]
            # The one before may have left in the middle of its QUIT.
            may_be = caller.removes or self._removes[caller.user]
            self._removes[caller.user] = caller.removes
            _fill(self._root, caller.user)
        assert may_be or not gone, f"seed {self._seed}, talk {number}: removed without QUIT: {gone}"
        return caller.check() + Counter(removed=len(gone))


def fuzz(root: Path, seed: str, talks: int) -> Counter[str]:
    happened, before = Counter[str](), 0
    with serving(root) as running, ThreadPoolExecutor(_CLIENTS) as threads:
        one = Fuzz(root, seed, running)
        for start in range(0, talks, talks // 10):
            for result in threads.map(one.talk, range(start, start + talks // 10)):
                happened += result
            before = before or _rss(running)
        assert running.ended is None, running.log()
        assert "Traceback" not in running.log(), running.log()[-8000:]
        assert _rss(running) - before < _GROWTH
        last = poplib.POP3("127.0.0.1", running.ports[0], timeout=10)
        last.user(name(0).decode())
        last.pass_(password(0).decode())
        assert last.stat()[0] > 0
        last.quit()
    return happened


def _rss(running: Gateway) -> int:
    return int(Path(f"/proc/{running.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_gateway_of_its_own_bears_what_clients_say(tmp_path: Path) -> None:
    happened = fuzz(tmp_path, "slice", 150)
    assert happened["messages"]


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_a_gateway_of_its_own_bears_20_000_talks(tmp_path: Path) -> None:
    seed = os.environ.get("FUZZ_SEED") or f"{random.SystemRandom().randrange(1 << 32):x}"
    assert fuzz(tmp_path, seed, 20_000)["removed"] > 100
