"""A spool and a queue on a clock of their own, with a next hop and a mailbox that say what a test wants and remember what they got."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.queue import Queue
from sesmail.relay.retry import Retry
from sesmail.relay.schedule import Due
from sesmail.relay.spool import Spool

SENDER = "ann@example.com"
MESSAGE = b"Message-ID: <1@example.com>\r\nSubject: one\r\n\r\nbody\r\n.\r\n\xff\x00 end\r\n"
BEGAN = 1_800_000_000.0

OK = Outcome(250, "2.0.0", "Ok", id="ses-1")
LATER = Outcome(451, "4.3.0", "not now")
NO = Outcome(550, "5.1.1", "no such user")


def to(*recipients: str, returns: str = SENDER) -> Envelope:
    """An envelope of Ann's."""
    return Envelope(SENDER, recipients or ("bob@example.net",), returns, "ann")


Carry = Callable[[Envelope, bytes], Mapping[str, Outcome]]


def every(outcome: Outcome) -> Carry:
    """The same for everybody."""
    return lambda envelope, message: dict.fromkeys(envelope.recipients, outcome)


def each(outcomes: Mapping[str, Outcome]) -> Carry:
    """What the mapping says for those who are asked for."""
    return lambda envelope, message: {recipient: outcomes[recipient] for recipient in envelope.recipients}


def turns(*carries: Carry) -> Carry:
    """One after the other, then the last for ever."""
    coming: Iterator[Carry] = itertools.chain(carries, itertools.repeat(carries[-1]))
    return lambda envelope, message: next(coming)(envelope, message)


class Hop:
    """A courier, and with `deliver` a mailbox."""

    def __init__(self, say: Carry) -> None:
        self.say = say
        self.got: list[tuple[Envelope, bytes]] = []

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        octets = message.read()
        self.got.append((envelope, octets))
        return self.say(envelope, octets)

    def recipients(self) -> list[str]:
        """Everybody whom it was asked for, as often as it was."""
        return [recipient for envelope, _ in self.got for recipient in envelope.recipients]


class Post:
    """All of it. `now` moves only by hand."""

    def __init__(
        self,
        folder: Path,
        courier: Carry | None = None,
        mailbox: Carry | None = None,
        *,
        retry: Retry | None = None,
        reserve: int = 0,
        ids: str = "id",
        schedule: Due | None = None,
        held: bool = False,
    ) -> None:
        self.now = BEGAN
        self.folder = folder
        self.courier = Hop(courier or every(OK))
        self.mailbox = Hop(mailbox or every(OK))
        self._ids = (f"{ids}{number:06}" for number in itertools.count(1))
        self.spool = Spool(
            folder, now=self.clock, new_id=lambda: next(self._ids), reserve=reserve, schedule=schedule, held=held
        )
        self.queue = Queue(
            self.spool,
            self.courier,
            self.mailbox.send,
            retry=retry or Retry(),
            hostname="mail.example.com",
            now=self.clock,
            chance=lambda: 0.5,
        )

    def clock(self) -> float:
        return self.now

    def accept(self, envelope: Envelope | None = None, message: bytes = MESSAGE) -> str:
        """A message that was committed; its first attempt is to follow."""
        draft = self.spool.begin(envelope or to())
        draft.write(message)
        draft.commit()
        return draft.id

    def work(self) -> list[str]:
        """Attempt whatever is due now, and return what that was."""
        due = list(self.queue.due())
        for id in due:
            self.queue.attempt(id)
        return due

    def run(self, until: float) -> list[float]:
        """Let time pass up to `until` and attempt whatever becomes due. Returns when there were attempts."""
        times = []
        while (due := self.queue.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            if self.work():
                times.append(self.now)
        self.now = until
        return times

    def names(self, *folders: str) -> Sequence[str]:
        """The files in these folders of the spool."""
        return sorted(f"{folder}/{path.name}" for folder in folders for path in (self.folder / folder).iterdir())


@contextmanager
def opened(post: Post) -> Iterator[Post]:
    """Its spool is open meanwhile."""
    post.spool.open()
    try:
        yield post
    finally:
        post.spool.close()


EVERYWHERE = ("new", "queue", "held", "state", "wishes")
