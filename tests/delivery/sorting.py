"""A small post office for tests: an inbox in a real store, people with mailboxes in it, and agents that write down what they got."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from sesmail.aliases.model import AddressRules, Disposition, Model, Target, in_entries
from sesmail.aws.receipt import Notice
from sesmail.delivery.agent import Agent
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.local import Local
from sesmail.delivery.mailboxagent import MailboxAgent
from sesmail.delivery.message import Message
from sesmail.delivery.plan import Bounce, Forward, Lmtp, Mailbox, Maildir, Pipe, Step
from sesmail.delivery.routing import Routing
from sesmail.delivery.sorter import Sorter
from sesmail.delivery.targets import Targets, in_places
from sesmail.delivery.verdicts import VerdictRules
from sesmail.interfaces import StorePlace
from sesmail.mail.outcome import Outcome
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.keys import Places
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Store
from tests.delivery.failing import FailingStore
from tests.servers import seaweed

PLACE = StorePlace("s3://inbox")
ELSEWHERE = StorePlace("s3://elsewhere")
ID = "0123456789abcdefghijklmnopqrstuv"
MAIL = b"Received: from a by b\r\nFrom: x@example.org\r\n\r\nhello\r\n.\r\n"
SENDER = "x@example.org"
TOM, ANNE, BOB = "tom@example.com", "anne@example.com", "bob@example.com"
LATER, REFUSED = Outcome(451, "4.3.0", "not now"), Outcome(550, "5.7.1", "not from you")

_buckets = itertools.count()


class Notebook:
    """An agent that keeps what it is given, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.answers: dict[str, Outcome | Exception] = {}

    def deliver(self, steps: Sequence[Step], message: Message) -> Mapping[str, Outcome]:
        """See Agent."""
        return {step.name: self._one(step, message) for step in steps}

    def _one(self, step: Step, message: Message) -> Outcome:
        answer = self.answers.get(what(step), Outcome(250, "2.1.5", "Ok"))
        if isinstance(answer, Exception):
            raise answer
        if answer.code == 250:
            with closing(message.open()) as file:
                self.got.append((what(step), file.read()))
        return answer


def what(step: Step) -> str:
    """The one thing that a destination is about."""
    end = step.destination
    names = {Lmtp: "user", Maildir: "path", Pipe: "command", Forward: "address"}
    return str(getattr(end, names[type(end)])) if type(end) in names else type(end).__name__.lower()


class Office:
    """Everybody of ``example.com`` who is in `people` has a mailbox; `routes` lead addresses to other targets."""

    def __init__(self, store: Store, other: Store | None = None, **settings: Any) -> None:
        self.real = store
        self.store = FailingStore(store)
        self.other = other
        self.people = {TOM, ANNE, BOB}
        self.routes: dict[str, Sequence[str]] = {}
        self.rules = VerdictRules()
        self.address_rules = AddressRules()
        self.notes = Notebook()
        self.counted: list[str] = []
        """The recipients whose uses were counted."""
        self.agents: dict[type, Agent] = {Mailbox: MailboxAgent()}
        self.agents |= dict.fromkeys((Lmtp, Maildir, Pipe, Forward, Bounce), self.notes)
        self.inbox = replace(Inbox(self.store, "inbox", "new/"), **settings)
        self.places = Places("mail/%d/%u/", "mail/%d/passwd.txt", PLACE, False, {})

    def store_of(self, place: StorePlace) -> Store:
        """See boxes.StoreOf."""
        if place == ELSEWHERE and self.other is not None:
            return self.other
        return self.store

    def routing(self) -> Routing:
        """As it is configured at the moment."""
        model = Model(self.address_rules, [in_entries(self.routes), self._account])
        return Routing(model.resolve, Targets(in_places(self.places.place), {"example.com"}), self.rules)

    def _account(self, address: str) -> Sequence[Target]:
        return [Target(Disposition.DELIVER, address)] if address in self.people else []

    def sorter(self, delete: Callable[[str], None] | None = None) -> Sorter:
        """A new one, as after a restart."""
        return Sorter(self.inbox, self.routing(), self.agents, self.store_of, delete=delete, count=self.counted.extend)

    def local(self) -> Local:
        """A new one, as after a restart."""
        return Local(self.inbox, self.routing(), self.agents, self.store_of, now=lambda: 1_000_000.0, count=self.counted.extend)

    def arrive(self, id: str = ID, data: bytes = MAIL, prefix: str = "new/", metadata: Mapping[str, str] | None = None) -> None:
        """SES writes a message."""
        self.real.put(prefix + id, data, metadata=metadata)

    def listed(self, prefix: str = "") -> list[str]:
        """All that lies there."""
        return [row.key.decode() for row in self.real.list(prefix)]

    def read(self, key: str) -> bytes:
        """What lies there."""
        with closing(self.real.open(key)) as file:
            return file.read()

    def remove(self, key: str) -> None:
        """As a reader does."""
        assert self.real.delete([key]) == {}


def notice(*recipients: str, id: str = ID, **changes: object) -> Notice:
    """What SES says of a message; without recipients what S3 says."""
    said = Notice(id, "inbox", f"new/{id}", 1_000_000.0, recipients or None, sender=SENDER if recipients else None)
    return replace(said, **changes)  # type: ignore[arg-type]


def box(address: str, id: str = ID, folder: str = "") -> str:
    """Where somebody's copy lies."""
    local, _, domain = address.partition("@")
    return f"mail/{domain}/{local}/{f'+{folder}/' if folder else ''}{id}"


def directory(path: Path) -> Store:
    """A new store in a directory."""
    path.mkdir()
    return DirectoryStore(path)


def bucket() -> Store:
    """A store in a new bucket of a real S3 server."""
    server = seaweed.running()
    return S3Store(server.client(), server.make_bucket(f"office-{next(_buckets)}"))
