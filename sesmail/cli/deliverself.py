"""`sesmail deliver` without a gateway: the message goes to the store, or wherever the configuration says, from this process."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import BinaryIO

from sesmail.assembly.deposits import deposits
from sesmail.assembly.sorting import Receiving, receiving
from sesmail.assembly.stores import blocking_stores, clients
from sesmail.config.table import Config
from sesmail.delivery.deposit import Deposits
from sesmail.delivery.plan import Plan
from sesmail.delivery.reception import Handover
from sesmail.errors import MailError, Refused
from sesmail.log import quoted
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome

_LATER = Outcome(451, "4.3.0", "it cannot be found out at the moment who that is, try again later")


class OutOfTime(BaseException):
    """No part of the program may take this for an answer of a server, and try again."""


def by_itself(config: Config, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
    """Deliver as the configuration says. Raises ConfigError, OSError when the log cannot be written, OutOfTime."""
    octets = message.seek(0, os.SEEK_END)
    message.seek(0)
    if octets > config.lmtp.max_size:
        return dict.fromkeys(envelope.recipients, Outcome(552, "5.3.4", f"a message may have {config.lmtp.max_size} octets"))
    with ExitStack() as end:
        tell = end.enter_context(_told(config.deliver.log))
        end.enter_context(_in_time(config.deliver.timeout))
        return _stored(config, end, envelope, message, tell)


def _stored(
    config: Config, end: ExitStack, envelope: Envelope, message: BinaryIO, tell: Callable[[str], object]
) -> Mapping[str, Outcome]:
    boxes = deposits(config, _Rest(config, end), blocking_stores(clients(config)), tell=tell)
    began = time.monotonic()
    outcomes = _refused(boxes, envelope) or boxes.deliver(envelope, message)
    took = time.monotonic() - began
    for recipient, outcome in outcomes.items():
        what = f"transfer complete object={outcome.id}" if outcome.code == 250 else f"not delivered: {outcome.reply}"
        tell(f"{what}, to={quoted(recipient)}, {_human(message.seek(0, os.SEEK_END))}, {took:.3f} s")
    return outcomes


def _refused(boxes: Deposits, envelope: Envelope) -> Mapping[str, Outcome]:
    """What there is against anybody who is to have the message, before somebody is given it."""
    found: dict[str, Outcome] = {}
    handover = Handover(boxes.plan, boxes.deliver)
    for recipient in envelope.recipients:
        try:
            handover.check(recipient)
        except Refused as error:
            code, _, status = (error.smtp or "550 5.7.1").partition(" ")
            found[recipient] = Outcome(int(code), status, error.public)
        except MailError:
            found[recipient] = _LATER
    return {recipient: found.get(recipient, next(iter(found.values()))) for recipient in envelope.recipients} if found else {}


class _Rest:
    """See deposit.Rest. Routing is put together only when somebody is asked about who has no mailbox in section deliver."""

    def __init__(self, config: Config, end: ExitStack) -> None:
        self._config = config
        self._end = end
        self._made: Receiving | None = None

    def plan(self, sender: str, recipients: Sequence[str]) -> Plan:
        """See deposit.Rest."""
        return self._mail.routing.plan(sender, recipients)

    def deliver(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See deposit.Rest."""
        return self._mail.local.deliver(envelope, message)

    @property
    def _mail(self) -> Receiving:
        if self._made is None:
            self._made = receiving(self._config, self._end)
        return self._made


@contextmanager
def _told(path: str | None) -> Iterator[Callable[[str], object]]:
    """What writes lines to the log, which others cannot read. Raises OSError when it cannot be opened."""
    if path is None:
        logging.disable(logging.CRITICAL)
        yield lambda words: None
        return
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace", buffering=1) as file:
        log = _Log(file.write)
        logging.basicConfig(handlers=[log], level=logging.WARNING)
        yield log.tell


class _Log(logging.Handler):
    """Lines as mailtos3 wrote them. A disk that is full later stands in nobody's way."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self._write = write

    def tell(self, words: str, level: str = "INFO") -> None:
        """One line."""
        line = " ".join(words.split())
        try:
            self._write(f"{time.strftime('%Y/%m/%d %H:%M:%S')} [{level}] {line}\n")
        except OSError:
            return

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler. Without the traceback, which has several lines."""
        self.tell(record.getMessage(), record.levelname)


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _human(octets: int) -> str:
    size = float(octets)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{octets} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
