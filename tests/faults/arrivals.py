"""Mail that comes in by a queue to a gateway that is killed again and again, and what became of each message for each recipient."""

from __future__ import annotations

import json
import random
import re
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config as BotoConfig

from tests.aws import sesevents
from tests.faults.cases import PASSWORD, config
from tests.faults.rawpop import Dropped, RawPop
from tests.servers import gateway, lmtpsink, moto, seaweed, ses
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port, wait_until

DOMAIN = "here.example"
BOXES = tuple(f"box{number}" for number in range(6))
MAILDIRS = ("dir0", "dir1")
FAR = ("far0", "far1")
OUT = ("out0", "out1")
EVERYBODY = (*BOXES, *MAILDIRS, *FAR, *OUT)
VISIBILITY = 10
# Seconds between two messages.
PACE = 0.1
_ID = "0123456789abcdefghijklmnopqrstuv"
_NUMBER = re.compile(rb"^X-Number: (\d+)\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    """One message, and for whom it is."""

    number: int
    id: str
    recipients: tuple[str, ...]
    put: float


@dataclass
class Seen:
    """What one recipient saw of one message: when a copy was first seen, and how many were taken away since."""

    first: float
    last: float
    taken: int = 0


@dataclass
class Witness:
    """What all recipients saw. Thread-safe enough: each of them has one thread at a time."""

    seen: dict[tuple[int, str], Seen] = field(default_factory=dict)

    def saw(self, number: int, name: str) -> None:
        now = time.monotonic()
        self.seen.setdefault((number, name), Seen(now, now)).last = now

    def took(self, number: int, name: str) -> None:
        self.seen[number, name].taken += 1


class World:
    """A bucket, a queue, an LMTP server, an SES, two Maildirs, and gateways one after the other."""

    def __init__(self, folder: Path, sink: lmtpsink.Sink, out: ses.RemoteSes) -> None:
        self.folder, self.sink, self.out = folder, sink, out
        self.server = seaweed.running()
        self.bucket = self.server.make_bucket(f"arrivals-{uuid.uuid4().hex[:12]}")
        self.s3 = self.server.client(max_pool_connections=8)
        self.sqs = _sqs(moto.running())
        self.queue = self.sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
        self.kills: list[float] = []
        self.logs: list[str] = []
        self.witness = Witness()
        self.port = free_port()
        self.over = threading.Event()
        for name in MAILDIRS:
            for part in ("tmp", "new", "cur"):
                (folder / name / part).mkdir(parents=True)

    def configured(self) -> dict[str, Any]:
        storage = {
            "url": f"s3://{self.bucket}",
            "endpoint": self.server.endpoint,
            "region": self.server.region,
            "access_key_id": self.server.access_key,
            "secret_access_key": self.server.secret_key,
        }
        leads = {
            **{name: f"maildir:{self.folder / name}" for name in MAILDIRS},
            **{name: f"lmtp:{name}" for name in FAR},
            **{name: f"forward:{name}@there.example" for name in OUT},
        }
        made = config(
            storage,
            self.port,
            auth={"users": [{"name": f"{name}@{DOMAIN}", "password": PASSWORD} for name in BOXES]},
            incoming={"prefix": "new/", "sweep_every": 0},
            queue={"url": self.queue, "endpoint": moto.running(), "region": "eu-west-1", "visibility": VISIBILITY},
            routing={
                "domains": [DOMAIN],
                "routes": [{"address": f"{name}@{DOMAIN}", "to": [target]} for name, target in leads.items()],
                "forward_from": f"forwarder@{DOMAIN}",
            },
            lmtp_out={"host": "127.0.0.1", "port": self.sink.port},
            ses={
                "endpoint": self.out.endpoint,
                "region": "eu-west-1",
                "access_key_id": "AKIATESTTESTTESTTEST",
                "secret_access_key": "x",
            },
            mailboxes={"lock": "none", "domains": [DOMAIN]},
        )
        # A store that takes a second is no fault here.
        made["storage"] |= {"connect_timeout": 10, "read_timeout": 30}
        return made

    def bring(self, count: int, chance: random.Random) -> list[Mail]:
        """So many messages into the bucket and their events into the queue, some twice, in any order, over a while."""
        mails, events = [], list[str]()
        for number in range(count):
            mail = self._put(number, chance)
            mails.append(mail)
            events += [_event(mail, self.bucket, chance)] * chance.choice((1, 1, 1, 1, 2, 3))
            if len(events) >= 40 or number == count - 1:
                chance.shuffle(events)
                later, events = events[30:], events[:30]
                self._send(events if number < count - 1 else events + later)
                events = later
        return mails

    def _put(self, number: int, chance: random.Random) -> Mail:
        id = "".join(chance.choices(_ID, k=40))
        names = tuple(chance.sample(EVERYBODY, chance.choice((1, 1, 1, 2, 3, 5))))
        body = (
            f"From: a@else.example\r\nX-Number: {number}\r\nMessage-ID: <{number}@else.example>\r\n\r\n"
            + f"{'x' * 70}\r\n" * 30
        )
        # Not all before the first gateway runs.
        time.sleep(PACE)
        put = time.monotonic()
        self.s3.put_object(Bucket=self.bucket, Key=f"new/{id}", Body=body.encode())
        return Mail(number, id, names, put)

    def _send(self, events: Sequence[str]) -> None:
        for first in range(0, len(events), 10):
            entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(events[first : first + 10])]
            assert not self.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries).get("Failed")

    def kill_until_over(self, chance: random.Random, most: int) -> None:
        """Gateways that live for a moment each, at most so many."""
        while not self.over.is_set() and len(self.kills) < most:
            with gateway.running(self.configured()) as running:
                self.over.wait(chance.uniform(0.05, 1))
                self.kills.append(time.monotonic())
                running.kill()
                self.logs.append(running.log())

    def read_until_over(self, name: str, chance: random.Random) -> None:
        """A person who fetches, and sometimes deletes."""
        while not self.over.is_set():
            # The gateway may go in the middle of it.
            with suppress(Dropped, OSError, AssertionError):
                self.read(name, chance)
            self.over.wait(0.2)

    def read(self, name: str, chance: random.Random) -> None:
        with RawPop(self.port, seconds=20) as pop:
            said = pop.login(f"{name}@{DOMAIN}", PASSWORD)
            assert said.startswith(b"+OK"), said
            rows = pop.fetch("LIST")[1].split(b"\r\n")[:-2]
            marked = []
            for row in rows:
                number = _number(pop.fetch(f"RETR {row.split()[0].decode()}")[1])
                self.witness.saw(number, name)
                if chance.random() < 0.5:
                    assert pop.ask(f"DELE {row.split()[0].decode()}").startswith(b"+OK")
                    marked.append(number)
            before = time.monotonic()
            try:
                assert pop.ask("QUIT").startswith(b"+OK")
            except (Dropped, AssertionError):
                # Nobody knows which of them are gone: those that are not will be seen again, without anybody's fault.
                self._doubtful(marked, name, before)
                raise
            for number in marked:
                self.witness.took(number, name)

    def _doubtful(self, marked: Sequence[int], name: str, before: float) -> None:
        left = {_number(body) for _, body in self.bodies(f"mailboxes/{DOMAIN}/{name}/")}
        for number in set(marked) - left:
            self.witness.took(number, name)

    def look_until_over(self, name: str, chance: random.Random) -> None:
        """Somebody who reads a Maildir and removes some of it."""
        while not self.over.wait(0.1):
            self.look(name, chance)

    def look(self, name: str, chance: random.Random) -> None:
        folder = self.folder / name
        for path in list((folder / "new").iterdir()):
            number = _number(path.read_bytes())
            self.witness.saw(number, name)
            path.rename(folder / "cur" / f"{path.name}:2,S")
            if chance.random() < 0.3:
                (folder / "cur" / f"{path.name}:2,S").unlink()
                self.witness.took(number, name)

    def settle(self) -> str:
        """Let a last gateway bring everything on until nothing waits. Returns its log."""
        with gateway.running(self.configured()) as running:
            wait_until(lambda: not self.waiting(), seconds=240, what=lambda: f"{self.waiting()}\n{running.log()}")
            running.stop()
            self.logs.append(running.log())
            return running.log()

    def waiting(self) -> dict[str, int]:
        """What is not done yet: events, and originals."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        counts = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=list(names))["Attributes"]
        found = {name: int(counts[name]) for name in names} | {"originals": len(self.keys("new/"))}
        return found if any(found.values()) else {}

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [row["Key"] for page in pages for row in page.get("Contents", ())]

    def bodies(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        # A kill may leave the octet with which copies are tried out, where no reader sees it.
        for key in (key for key in self.keys(prefix) if "/.sesmail/" not in key):
            yield key, self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()


def _number(data: bytes) -> int:
    found = _NUMBER.search(data)
    assert found is not None, data[:500]
    return int(found[1])


def _event(mail: Mail, bucket: str, chance: random.Random) -> str:
    said = sesevents.notice(
        *(f"{name}@{DOMAIN}" for name in mail.recipients),
        action=sesevents.s3_action(f"new/{mail.id}", bucket),
        source="a@else.example",
    )
    said["mail"]["messageId"] = mail.id
    said["receipt"]["dmarcVerdict"] = {"status": "PASS"}
    return json.dumps(chance.choice((said, sesevents.envelope(said))))


def _sqs(endpoint: str) -> Any:
    return boto3.session.Session().client(
        "sqs",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="AKIATESTTESTTESTTEST",
        aws_secret_access_key="x",
        config=BotoConfig(connect_timeout=5, read_timeout=30),
    )


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """One with everything running."""
    with lmtpsink.keeping() as sink, ses.running_apart() as out:
        yield World(folder, sink, out)


def live(world: World, count: int, seed: int, kills: int) -> list[Mail]:
    """Messages come in, people read, gateways die, so often at most."""
    chance = random.Random(seed)
    doing: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
        (world.kill_until_over, (random.Random(chance.random()), kills))
    ]
    doing += [(world.read_until_over, (name, random.Random(chance.random()))) for name in BOXES]
    doing += [(world.look_until_over, (name, random.Random(chance.random()))) for name in MAILDIRS]
    with ThreadPoolExecutor(len(doing)) as people:
        running = [people.submit(function, *arguments) for function, arguments in doing]
        try:
            mails = world.bring(count, chance)
            # As long as there is work to interrupt, but the end must find some too.
            wait_until(
                lambda: running[0].done() or len(world.keys("new/")) <= count // 20,
                seconds=900,
                what=lambda: str(world.waiting()),
            )
        finally:
            world.over.set()
        for one in running:
            one.result()
    return mails


@dataclass(frozen=True)
class Account:
    """How often each message reached each recipient, and when it was seen last."""

    copies: Counter[tuple[int, str]]
    last: dict[tuple[int, str], float]


def found(world: World) -> Account:
    """Look everywhere, when all is quiet."""
    copies: Counter[tuple[int, str]] = Counter()
    last: dict[tuple[int, str], float] = defaultdict(float)
    for place, seen in world.witness.seen.items():
        copies[place] += seen.taken
        last[place] = seen.last
    now = time.monotonic()
    here = [(name, body) for name in BOXES for _, body in world.bodies(f"mailboxes/{DOMAIN}/{name}/")]
    here += [
        (name, path.read_bytes())
        for name in MAILDIRS
        for part in ("new", "cur")
        for path in (world.folder / name / part).iterdir()
    ]
    for name, body in here:
        copies[_number(body), name] += 1
        last[_number(body), name] = now
    for kept in world.sink.kept:
        for name in kept.recipients:
            copies[_number(kept.data), name] += 1
            last[_number(kept.data), name] = now
    for sent in world.out.sent:
        for address in sent.recipients:
            copies[_number(sent.data), address.partition("@")[0]] += 1
            last[_number(sent.data), address.partition("@")[0]] = now
    return Account(copies, last)


def check(world: World, mails: Sequence[Mail]) -> dict[str, int]:
    """Everybody has everything, nobody anything else, and nothing twice but for a kill. Returns how much came twice, by kind."""
    account = found(world)
    wanted = {(mail.number, name): mail for mail in mails for name in mail.recipients}
    lacking = [(place, mail.id) for place, mail in wanted.items() if not account.copies[place]]
    assert not lacking, lacking
    assert not set(account.copies) - set(wanted), "somebody has what is not his"
    doubles: Counter[str] = Counter()
    for place, mail in wanted.items():
        extra = account.copies[place] - 1
        kills = sum(mail.put < kill < account.last[place] for kill in world.kills)
        assert extra <= kills, (place, extra, kills)
        if extra:
            doubles[place[1].rstrip("0123456789")] += extra
    for name in (*BOXES, *MAILDIRS):
        # What nobody took away is there once, however often its event came.
        assert all(
            account.copies[number, name] <= 1 + world.witness.seen[number, name].taken
            for number, who in wanted
            if who == name and (number, who) in world.witness.seen
        )
    return dict(doubles)


def check_is_tidy(world: World) -> None:
    """Nothing is left but mail in mailboxes."""
    assert not [key for key in world.keys("") if not key.startswith("mailboxes/")]


__all__ = ["Gateway", "World", "check", "check_is_tidy", "live", "world"]
