"""Sessions in the middle of which their gateway is killed, and what must hold for their owners afterwards."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from tests.clients.stores import Store
from tests.faults.cases import PASSWORD, Account
from tests.faults.rawpop import Dropped, RawPop
from tests.servers.gateway import Gateway

# Seconds in which all that is to be interrupted takes place.
WINDOW = 0.15
KINDS = ("reads", "reads", "leaves", "leaves", "leaves", "comes")


@dataclass
class Session:
    """One that is killed while it `reads` or at about the time when it `leaves` or `comes`, and how far it came."""

    account: Account
    kind: str
    chance: random.Random
    marked: set[int] = field(default_factory=set)
    reached: str = "nothing"
    retrieved: int = 0
    heard_last: bytes = b""
    told_in_use: bool = False
    """Whether the first login afterwards was told that the mailbox is in use."""

    def run(self, port: int, ready: threading.Barrier) -> None:
        """Hear what comes until nothing comes any more. The kill is due WINDOW seconds after all are `ready` at the latest."""
        try:
            with RawPop(port) as pop:
                if self.kind != "comes":
                    self._log_in(pop)
                    self._mark(pop)
                ready.wait()
                self._go_on(pop)
        except Dropped as dropped:
            self.heard_last = dropped.heard

    def _log_in(self, pop: RawPop) -> None:
        self.reached = "login"
        said = pop.login(self.account.user, PASSWORD)
        assert said.startswith(b"+OK"), said
        self.reached = "session"

    def _mark(self, pop: RawPop) -> None:
        numbers = range(1, len(self.account.mails) + 1)
        for number in self.chance.sample(numbers, self.chance.randint(1, len(numbers))) if self.kind == "leaves" else ():
            self.marked.add(number)
            assert pop.ask(f"DELE {number}").startswith(b"+OK")

    def _go_on(self, pop: RawPop) -> None:
        if self.kind != "reads":
            time.sleep(self.chance.random() * WINDOW)
        if self.kind == "leaves":
            self.reached = "QUIT"
            said = pop.ask("QUIT")
            assert said.startswith(b"+OK"), said
            self.reached = "QUIT answered"
            return
        if self.kind == "comes":
            self._log_in(pop)
        self._read(pop)

    def _read(self, pop: RawPop) -> None:
        for number in itertools.cycle(range(1, len(self.account.mails) + 1)):
            self.reached, self.retrieved = "RETR", number
            status, heard = pop.fetch(f"RETR {number}")
            assert status.startswith(b"+OK"), status
            assert heard == self.account.wire(number)

    def check(self, port: int, patience: float) -> None:
        """What it heard was true, and at the gateway on this port all is there that must be, and is served within so many seconds."""
        if self.retrieved:
            whole = self.account.wire(self.retrieved)
            assert whole.startswith(self.heard_last) or b"+OK ".startswith(self.heard_last[:4])
        with RawPop(port) as pop:
            self.told_in_use = pop.login(self.account.user, PASSWORD).startswith(b"-ERR [IN-USE]")
        everything, left = set(range(1, len(self.account.mails) + 1)), set(self.account.left())
        assert everything - left <= (self.marked if self.reached.startswith("QUIT") else set())
        assert self.reached != "QUIT answered" or left == everything - self.marked
        self.account.log_in_soon(port, patience).socket.close()
        self.account.check_all_is_served(port, sorted(left))


def kill(store: Store, gateway: Gateway, threads: Executor, chance: random.Random, count: int) -> list[Session]:
    """So many sessions side by side, and the end of their gateway in the middle of them. `threads` must have room for all."""
    accounts = list(threads.map(lambda _: Account(store, small=4, big=1 << 20), range(count)))
    sessions = [Session(account, chance.choice(KINDS), random.Random(chance.random())) for account in accounts]
    ready = threading.Barrier(count + 1, timeout=60)
    running = [threads.submit(session.run, gateway.ports[0], ready) for session in sessions]
    ready.wait()
    time.sleep(chance.random() * WINDOW)
    gateway.kill()
    for one in running:
        one.result()
    return sessions


def check(sessions: Iterable[Session], gateway: Gateway, threads: Executor, patience: float) -> None:
    """See Session.check; all of them side by side."""
    list(threads.map(lambda session: session.check(gateway.ports[0], patience), sessions))
    assert "Traceback" not in gateway.log(), gateway.log()[-8000:]
