"""Mail submitted to a gateway that is killed again and again, and what became of each message."""

from __future__ import annotations

import random
import re
import smtplib
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sesmail.storage.paths import PARTIAL
from tests.clients.stores import Folder
from tests.faults.cases import PASSWORD, Account, config
from tests.servers import gateway
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port, wait_until
from tests.servers.ses import Fault, RemoteSes, Request, Sent

CLIENTS = 10
# SES takes so long, so that many a kill comes while it has a message.
SES_TAKES = 0.03
# On a machine that is busy: from the last octet of a request to when SES has read it, and from SES's answer to the removal of
# the message.
READ_WITHIN = 0.5
RECORDED_WITHIN = 1.0


def recipient(number: int) -> str:
    """Whom message `number` is for: every tenth is somebody whom SES refuses, every seventh somebody it takes later."""
    return f"{'no' if number % 10 == 0 else 'later' if number % 7 == 0 else 'yes'}{number}@there.example"


@dataclass(frozen=True)
class Submitted:
    """One message, and the code that its client heard behind the data: None when the connection broke."""

    number: int
    code: int | None


class World:
    """An account, an SES, and gateways one after the other on one spool."""

    def __init__(self, folder: Path, ses: RemoteSes) -> None:
        self.ses = ses
        self._folder = folder
        self.account = Account(Folder(folder), small=0, big=0)
        self.kills: list[float] = []
        # How many messages were begun, more or less: it is counted by several threads, and that is good enough.
        self._begun = 0
        self._gateway: Gateway | None = None
        self._port = free_port()
        self._config = self._configured()

    def _configured(self) -> dict[str, Any]:
        return config(
            {"url": self._folder.as_uri()},
            free_port(),
            submission={
                "listeners": [{"endpoint": f"tcp:{self._port}:interface=127.0.0.1", "tls": "implicit"}],
                "check_domains": False,
            },
            relay={"courier": "ses", "retry_first": "1s", "retry_longest": "2s"},
            ses={"endpoint": self.ses.endpoint, "region": "eu-west-1"},
            service={"state_dir": str(self._folder / "state")},
            tls={"self_signed": True},
        )

    def submit(self, count: int, chance: random.Random) -> list[Submitted]:
        """So many messages by CLIENTS clients at a time, while gateways are killed at random moments."""
        over = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as clients:
            killing = threading.Thread(target=self._kill_until, args=(over, chance))
            killing.start()
            try:
                return list(clients.map(self._one, range(count)))
            finally:
                over.set()
                killing.join()

    def _kill_until(self, over: threading.Event, chance: random.Random) -> None:
        while not over.is_set():
            with gateway.running(self._config) as running:
                until = self._begun + chance.randint(5, 40)
                while self._begun < until and not over.wait(0.002):
                    pass
                over.wait(chance.uniform(0, 2 * SES_TAKES))
                # The last one too: retries may be under way when the last client has its answer.
                self.kills.append(time.monotonic())
                running.kill()

    def _one(self, number: int) -> Submitted:
        client = self._connected()
        message = f"From: {self.account.user}\r\nMessage-ID: <{number}@here.example>\r\n\r\nbody of {number}\r\n{'x' * 70}\r\n"
        try:
            client.mail(self.account.user)
            client.rcpt(recipient(number))
            self._begun += 1
            return Submitted(number, client.data(message.encode())[0])
        except (smtplib.SMTPServerDisconnected, OSError):
            # It cannot be known whether the message was taken, and nobody submits it again.
            return Submitted(number, None)
        finally:
            client.close()

    def _connected(self) -> smtplib.SMTP_SSL:
        deadline = time.monotonic() + 90
        while True:
            try:
                return self._logged_in()
            except (smtplib.SMTPException, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _logged_in(self) -> smtplib.SMTP_SSL:
        client = smtplib.SMTP_SSL("127.0.0.1", self._port, timeout=60, context=_trusting())
        try:
            client.login(self.account.user, PASSWORD)
        except BaseException:
            client.close()
            raise
        return client

    def settle(self) -> str:
        """Let a last gateway bring everything on until its spool is empty. Returns its log."""
        spool = self._folder / "state" / "spool"
        with gateway.running(self._config) as running:
            wait_until(lambda: not any((spool / "queue").iterdir()), seconds=120, what=running.log)
            running.stop()
            assert not any((spool / "held").iterdir())
            return running.log()

    def reports(self) -> list[bytes]:
        """The reports in the sender's mailbox."""
        mailbox = self._folder / "mailboxes" / self.account.domain / "ann"
        # A kill may leave behind what was being written: no reader of the mailbox sees that.
        whole = [path for path in mailbox.iterdir() if not path.name.startswith(PARTIAL.decode())] if mailbox.exists() else []
        return [path.read_bytes() for path in whole]


def arrange(ses: RemoteSes, count: int) -> None:
    """Have SES refuse and put off whom it should, and take its time with everybody."""
    for number in range(count):
        if recipient(number).startswith("no"):
            ses.plant(Fault("MessageRejected", 400, "no", delay=SES_TAKES, times=None, recipient=recipient(number)))
        elif recipient(number).startswith("later"):
            ses.plant(Fault("InternalServiceErrorException", 500, "oops", delay=SES_TAKES, recipient=recipient(number)))
    ses.plant(Fault(delay=SES_TAKES, times=None))


@dataclass(frozen=True)
class Found:
    """What became of all messages: how often each was sent and reported."""

    sent: Mapping[int, Sequence[Sent]]
    reported: Mapping[int, int]

    def check(self, submitted: Iterable[Submitted]) -> None:
        """Nothing that was promised is missing, and nobody is told two things."""
        for one in submitted:
            sent, reported = len(self.sent.get(one.number, ())), self.reported.get(one.number, 0)
            refused = recipient(one.number).startswith("no")
            if one.code == 250:
                assert reported == 1 if refused else sent >= 1, (one, sent, reported)
            elif one.code is not None:
                assert refused, one
                assert reported == 0, (one, "the client heard the refusal, and gets a report too")
            assert reported <= 1, (one, "is reported twice")
            assert not (sent and reported), (one, "is sent and reported")

    def duplicates(self, requests: Sequence[Request], kills: Sequence[float]) -> int:
        """How many were sent more than once. Each time but the last a kill fell between the request and the record of its answer."""
        asked = {(request.recipients, request.at) for request in requests}
        doubles = {number: sent for number, sent in self.sent.items() if len(sent) > 1}
        for number, sent in doubles.items():
            for one in sent[:-1]:
                begun = max(at for to, at in asked if to == one.recipients and at <= one.at)
                assert any(begun - READ_WITHIN <= kill <= one.at + RECORDED_WITHIN for kill in kills), (
                    number,
                    begun,
                    one.at,
                    kills,
                )
        return len(doubles)


def found(world: World) -> Found:
    """Look at SES and at the sender's mailbox."""
    sent: defaultdict[int, list[Sent]] = defaultdict(list)
    for one in world.ses.sent:
        number = int(re.search(rb"^body of (\d+)\r$", one.data, re.MULTILINE)[1])  # type: ignore[index]
        assert one.recipients == (recipient(number),)
        assert one.data.endswith(b"\r\n\r\nbody of %d\r\n%s\r\n" % (number, b"x" * 70))
        sent[number].append(one)
    reported: defaultdict[int, int] = defaultdict(int)
    for report in world.reports():
        for number in re.findall(rb"^Final-Recipient: rfc822; \w*?(\d+)@", report, re.MULTILINE):
            reported[int(number)] += 1
    return Found(sent, reported)


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
