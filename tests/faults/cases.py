"""Accounts in domains of their own, so that a fault can hit one of them alone; and what must hold after it."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.clients.stores import Store
from tests.faults.rawpop import RawPop
from tests.servers.ports import wait_until

PASSWORD = "open sesame"
BIG = 3 << 20
TEMPORARY = b"-ERR [SYS/TEMP]"
_numbers = itertools.count()


class Account:
    """One account: small messages, and one of about `big` octets at the end, unless that is 0."""

    def __init__(self, store: Store, *, small: int = 3, big: int = BIG) -> None:
        self.store = store
        self.domain = f"d{next(_numbers)}.example"
        self.user = f"ann@{self.domain}"
        self._prefix = f"mailboxes/{self.domain}/ann/"
        head = f"Subject: {self.user} "
        self.mails = [
            f"{head}{number}\r\n\r\n.a line\r\n.\r\n{'x' * 500 * (number + 1)}\r\n".encode() for number in range(small)
        ]
        if big:
            line = f".{self.domain} says the same again and again, and again\r\n".encode()
            self.mails.append(f"{head}big\r\n\r\n".encode() + line * (big // len(line)))
        digest = hashlib.sha512(f"ann:{PASSWORD}".encode()).hexdigest()
        pairs = [(self._prefix + f"{number:032}", mail) for number, mail in enumerate(self.mails)]
        store.put([(f"mailboxes/{self.domain}/passwd.txt", f"ann:{digest}\r\n".encode())])
        for pair in pairs:
            store.put([pair])

    def wire(self, number: int) -> bytes:
        """Message `number` as RETR sends it, counted from 1."""
        return re.sub(rb"(?m)^\.", b"..", self.mails[number - 1]) + b".\r\n"

    def left(self) -> list[int]:
        """The numbers, as they were at first, of the messages that are still in the store."""
        names = (key.removeprefix(self._prefix) for _, key in self.store.arrivals(self._prefix))
        return sorted(int(name) + 1 for name in names if name.isdigit())

    def log_in(self, port: int) -> RawPop:
        """A session. Raises AssertionError with what was said when it is refused."""
        pop = RawPop(port)
        said = pop.login(self.user, PASSWORD)
        if not said.startswith(b"+OK"):
            pop.socket.close()
        assert said.startswith(b"+OK"), said
        return pop

    def log_in_soon(self, port: int, seconds: float = 10) -> RawPop:
        """A session as soon as nobody else has one."""
        found: list[RawPop] = []

        def free() -> bool:
            pop = RawPop(port)
            said = pop.login(self.user, PASSWORD)
            assert said.startswith((b"+OK", b"-ERR [IN-USE]")), said
            (found.append if said.startswith(b"+OK") else _close)(pop)
            return bool(found)

        wait_until(free, seconds=seconds, what=lambda: f"{self.user} is locked out")
        return found[0]

    def check_all_is_served(self, port: int, numbers: Iterable[int]) -> None:
        """A new session finds these messages, whole, and no others."""
        numbers = list(numbers)
        with self.log_in_soon(port) as pop:
            listed = pop.fetch("UIDL")[1].split(b"\r\n")[:-2]
            assert [int(row.split()[1]) + 1 for row in listed] == numbers
            for place, number in enumerate(numbers, 1):
                assert pop.fetch(f"RETR {place}")[1] == self.wire(number), number
            assert pop.ask("QUIT").startswith(b"+OK")


def _close(pop: RawPop) -> None:
    pop.socket.close()


def config(storage: Mapping[str, Any], port: int, **sections: Any) -> dict[str, Any]:
    """A gateway that gives up on its store within seconds."""
    quick = {"connect_timeout": 1, "read_timeout": 1, "attempts": 3}
    made: dict[str, Any] = {
        "storage": {**storage, **(quick if "endpoint" in storage else {})},
        "auth": {"passwd_cache": 0, "throttle_wait": 0},
        "pop3": {"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}]},
        "limits": {"connections_per_address": 1000},
        "mailboxes": {"mixed_case": False},
    }
    for name, options in sections.items():
        made[name] = {**made.get(name, {}), **options}
    return made


@contextmanager
def no_error_of_ours(log: Any) -> Iterator[None]:
    """Nothing that happens here may make the gateway log a traceback."""
    before = log().count("Traceback")
    yield
    found = log()
    assert found.count("Traceback") == before, found[found.rindex("Traceback") - 500 :][:6000]
