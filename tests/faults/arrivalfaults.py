"""One gateway between everything that can fail while mail comes in, and what became of each message at each place it was for."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sesmail.delivery.expiry import Expiry
from sesmail.delivery.inbox import Inbox
from sesmail.storage.s3 import S3Store
from tests.aws import sesevents
from tests.aws.snssigner import TOPIC
from tests.faults.cases import PASSWORD, config
from tests.faults.strucklmtp import NUMBER, Struck
from tests.servers import faultproxy, gateway, moto, seaweed, ses
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy, Rule
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port, wait_until
from tests.servers.sqs import KEYS, REGION, make_queue
from tests.service.tls import trusting
from tests.web.snssender import Aws, Sender, aws

DOMAIN = "here.example"
PLACES = ("tom", "ann", "dir", "far0", "far1", "out", "cmd")
"""Two mailboxes, a Maildir, two users of an LMTP server, an address elsewhere, a command."""
MOST = 600
"""Messages in one world."""
VISIBILITY = 10
_BODY = b"\r\n\r\n" + b"and a body\r\n" * 60


@dataclass(frozen=True)
class Case:
    """One message, and what fails for it. `rules` are of the proxy before S3, with ``{id}`` for the message's.

    `twice`: places where nothing can show that it was there before. `held`: it is also for somebody whom nobody knows. `leaves`: what
    stays beside it, until it expires. `reads`: somebody takes it out of the first mailbox while it is not done.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    twice: frozenset[str] = frozenset()
    held: bool = False
    leaves: tuple[str, ...] = ()
    reads: bool = True


@dataclass
class Mail:
    """One message that came in."""

    number: int
    id: str
    case: Case
    taken: int = 0
    answers: list[int] = field(default_factory=list)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Of the envelope."""
        return (f"all{self.number}@{DOMAIN}", *((f"nobody@{DOMAIN}",) if self.case.held else ()))

    @property
    def key(self) -> str:
        return f"new/{self.id}"


class World:
    """What stands around the gateway. Between it and S3, and it and SQS, is a proxy."""

    def __init__(self, folder: Path, s3: FaultProxy, sqs: FaultProxy, out: ses.Server, cloud: Aws) -> None:
        self.folder, self.s3_proxy, self.sqs_proxy, self.out, self.cloud = folder, s3, sqs, out, cloud
        self.server = seaweed.running()
        self.bucket = self.server.make_bucket(f"faults-{uuid.uuid4().hex[:12]}")
        self.s3 = self.server.client(max_pool_connections=16)
        self.queue = make_queue(name=uuid.uuid4().hex)
        self.lmtp = Struck()
        self.ports = {"pop3": free_port(), "sns": free_port()}
        self.authority = Authority(folder)
        self.issued = self.authority.issue("localhost")
        self.mails: list[Mail] = []
        self.gateway: Gateway
        (folder / "piped").mkdir()

    def configured(self) -> dict[str, Any]:
        storage = {
            "url": f"s3://{self.bucket}",
            "endpoint": self.s3_proxy.endpoint,
            "region": self.server.region,
            "access_key_id": self.server.access_key,
            "secret_access_key": self.server.secret_key,
        }
        keys = {"access_key_id": KEYS.access_key_id, "secret_access_key": KEYS.secret_access_key}
        listener = {"endpoint": f"tcp:{self.ports['sns']}:interface=127.0.0.1"}
        return config(
            storage,
            self.ports["pop3"],
            auth={"users": [{"name": f"{name}@{DOMAIN}", "password": PASSWORD} for name in ("tom", "ann")]},
            incoming={"prefix": "new/", "sweep_every": 0},
            queue={
                "url": self.queue.url,
                "endpoint": self.sqs_proxy.endpoint,
                "region": REGION,
                "visibility": VISIBILITY,
                **keys,
            },
            sns={"listeners": [listener], "topics": [TOPIC], "username": "sns", "password": "geheim"},
            routing=self._routing(),
            lmtp_out={"host": "127.0.0.1", "port": self.lmtp.port, "timeout": 1},
            ses={"endpoint": self.out.endpoint, "region": REGION, "read_timeout": 1, **keys},
            mailboxes={"lock": "none", "domains": [DOMAIN]},
            tls={"certificates": [{"certificate": str(self.issued.certificate), "key": str(self.issued.key)}]},
        )

    def _routing(self) -> dict[str, Any]:
        targets = [f"tom@{DOMAIN}", f"ann@{DOMAIN}", f"maildir:{self.folder}/dir", "lmtp:far0", "lmtp:far1"]
        targets.append(f"pipe:sh -c 'cat >>{self.folder}/piped/$MESSAGE_ID'")
        routes = [{"address": f"all{n}@{DOMAIN}", "to": [*targets, f"out{n}@there.example"]} for n in range(MOST)]
        return {"domains": [DOMAIN], "routes": routes, "forward_from": f"forwarder@{DOMAIN}", "make_maildirs": True}

    def bring(self, case: Case) -> Mail:
        """SES writes a message into the bucket."""
        mail = Mail(len(self.mails), uuid.uuid4().hex + "00000000", case)
        assert mail.number < MOST
        self.mails.append(mail)
        self.s3.put_object(Bucket=self.bucket, Key=mail.key, Body=_mail(mail.number))
        return mail

    def notice(self, mail: Mail) -> str:
        """What SES says of it."""
        action = sesevents.s3_action(mail.key, self.bucket)
        said = sesevents.notice(*mail.recipients, action=action, source=f"s{mail.number}@else.example")
        said["mail"]["messageId"] = mail.id
        return json.dumps(said)

    def signed(self, mail: Mail) -> dict[str, object]:
        """As SNS brings it."""
        return self.cloud.signer.notification(self.notice(mail), at=time.time())

    def sender(self, **options: Any) -> Sender:
        return Sender(self.ports["sns"], trusting(self.authority.certificate), "sns:geheim", **options)

    def deliver(self, mail: Mail, tries: int = 12) -> None:
        """SNS brings it until it is taken. After each try it is looked whether anything is lost."""
        message = self.signed(mail)
        for _ in range(tries):
            mail.answers.append(self.sender(retries=0).deliver(message)[-1])
            self.check_nothing_is_lost(mail)
            if mail.answers[-1] == 200:
                return
            assert mail.answers[-1] in (0, 503), mail
            if mail.case.reads:
                self.read(mail)
            time.sleep(0.3)
        raise AssertionError(f"{mail} was never taken\n{self.gateway.log()[-4000:]}")

    def read(self, mail: Mail) -> None:
        """Somebody fetches and deletes it."""
        key = self.box("tom", mail)
        if self.is_there(key):
            self.s3.delete_object(Bucket=self.bucket, Key=key)
            mail.taken += 1

    def box(self, name: str, mail: Mail) -> str:
        return f"mailboxes/{DOMAIN}/{name}/{mail.id}"

    def is_there(self, key: str) -> bool:
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return False
        return True

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [row["Key"] for page in pages for row in page.get("Contents", ())]

    def copies(self, mail: Mail) -> Mapping[str, int]:
        """How often it is, or was, at each place. Nobody has less than all of it."""
        boxes = {name: int(self.is_there(self.box(name, mail))) for name in ("tom", "ann")}
        boxes["tom"] += mail.taken
        files = [path.read_bytes() for path in (self.folder / "dir" / "new").glob("*")]
        sent = [(one.recipients, one.data) for one in self.out.sent]
        assert all(to == (f"out{_number(data)}@there.example",) for to, data in sent)
        piped = self.folder / "piped" / mail.id
        whole, lines = _mail(mail.number), piped.read_bytes() if piped.exists() else b""
        assert lines == whole.replace(b"\r\n", b"\n") * len(NUMBER.findall(lines))
        assert all(data == whole for data in files if _number(data) == mail.number)
        assert all(data.endswith(_BODY) for _, data in sent)
        return {
            **boxes,
            "dir": sum(_number(data) == mail.number for data in files),
            **{user: self.lmtp.kept[mail.number, user] for user in ("far0", "far1")},
            "out": sum(_number(data) == mail.number for _, data in sent),
            "cmd": len(NUMBER.findall(lines)),
        }

    def check_nothing_is_lost(self, mail: Mail) -> None:
        """The original is there, or everybody has it."""
        if self.is_there(mail.key):
            return
        lacking = [name for name, count in self.copies(mail).items() if not count]
        assert not lacking, f"{mail} is gone, and not at {lacking}"
        assert self.is_there(f"held/{mail.id}") or not mail.case.held, f"{mail} is gone, and not held"

    def check(self, mails: Sequence[Mail]) -> Mapping[str, int]:
        """Everybody has each of these once, and nothing else is left of them. Returns how much came twice, by place."""
        doubles: Counter[str] = Counter()
        left = self.keys()
        for mail in mails:
            self.check_nothing_is_lost(mail)
            copies = self.copies(mail)
            more = {name: count - 1 for name, count in copies.items() if count > 1}
            assert set(more) <= mail.case.twice, f"{mail}: {copies}\n{self._log_of(mail)}"
            doubles.update(more)
            beside = [f"held/{mail.id}", f".sesmail/held/{mail.id}", f".sesmail/progress/{mail.id}"] if mail.case.held else []
            found = [key for key in left if mail.id in key and not key.startswith("mailboxes/")]
            assert set(found) <= {*beside, *(key.format(id=mail.id) for key in mail.case.leaves)}, f"{mail}: {found}"
        return dict(doubles)

    def expire(self) -> None:
        """Sixteen days later the sweep removes what has served."""
        inbox = Inbox(S3Store(self.server.client(), self.bucket), self.bucket, "new/")
        Expiry(inbox, keep=15 * 86400, now=lambda: time.time() + 16 * 86400).run()

    def _log_of(self, mail: Mail) -> str:
        return "\n".join(line for line in self.gateway.log().splitlines() if mail.id in line)

    def wait_until_quiet(self, mails: Sequence[Mail], seconds: float) -> None:
        """Until the queue and the incoming prefix are empty, by themselves. Meanwhile nothing may be lost at any moment."""

        def is_quiet() -> bool:
            for mail in mails:
                self.check_nothing_is_lost(mail)
            return self.queue.empty and not self.keys("new/")

        wait_until(is_quiet, seconds=seconds, what=lambda: f"{self.queue.counts()} {self.keys('new/')}\n{self.gateway.log()}")


def _mail(number: int) -> bytes:
    return f"From: a@else.example\r\nMessage-ID: <{number}@else.example>\r\nX-Number: {number}".encode() + _BODY


def _number(data: bytes) -> int:
    found = NUMBER.search(data)
    assert found is not None, data[:500]
    return int(found[1])


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """One with everything running."""
    with ExitStack() as stack:
        s3 = stack.enter_context(faultproxy.before(seaweed.running().endpoint))
        sqs = stack.enter_context(faultproxy.before(moto.running()))
        out = stack.enter_context(ses.running())
        (folder / "cloud").mkdir()
        cloud = stack.enter_context(aws(folder / "cloud"))
        made = World(folder, s3, sqs, out, cloud)
        made.lmtp.start()
        stack.callback(made.lmtp.stop)
        made.gateway = stack.enter_context(gateway.running(made.configured(), environment=cloud.environment))
        yield made


def check_log(log: str) -> None:
    """Trouble is no error of ours."""
    found = re.search(r"Traceback", log)
    assert found is None, log[max(0, found.start() - 800) : found.start() + 6000]
