"""A queue of a real server, for arranging and checking what a consumer does with it."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from sesmail.aws.queues import Queue, QueuePlace
from sesmail.interfaces import Keys
from tests.servers import moto

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
REGION = "eu-west-1"

_session = boto3.session.Session()
_numbers = itertools.count()


def client(service: str = "sqs") -> Any:
    """A plain boto3 client of a service of moto's."""
    return _session.client(
        service,
        endpoint_url=moto.running(),
        region_name=REGION,
        aws_access_key_id=KEYS.access_key_id,
        aws_secret_access_key=KEYS.secret_access_key,
    )


@dataclass(frozen=True)
class TestQueue:
    """One queue."""

    __test__ = False

    url: str

    @property
    def arn(self) -> str:
        name = self.url.rpartition("/")[2]
        return f"arn:aws:sqs:{REGION}:123456789012:{name}"

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def place(self, endpoint: str | None = None) -> QueuePlace:
        """For Queue: of moto itself, or through what stands before it."""
        return QueuePlace(url=self.url, region=REGION, endpoint=endpoint or moto.running(), keys=KEYS)

    def queue(self, endpoint: str | None = None, **timeouts: float) -> Queue:
        return Queue(self.place(endpoint), **timeouts)  # type: ignore[arg-type]

    def send(self, *bodies: str) -> None:
        made = client()
        for first in range(0, len(bodies), 10):
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[first : first + 10])]
            assert not made.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def counts(self) -> tuple[int, int]:
        """Messages that can be received now, and such as somebody has received."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = client().get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    @property
    def empty(self) -> bool:
        # Asked twice: in the moment in which its visibility ends, a message may be counted neither as waiting nor as taken.
        return self.counts() == self.counts() == (0, 0)


def make_queue(*, dead: TestQueue | None = None, tries: int = 3, name: str | None = None) -> TestQueue:
    """An empty queue; what was received `tries` times in vain goes to `dead`."""
    policy = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": str(tries)} if dead else None
    made = client().create_queue(
        QueueName=name or f"mail-{os.getpid()}-{next(_numbers)}",
        Attributes={"RedrivePolicy": json.dumps(policy)} if policy else {},
    )
    return TestQueue(made["QueueUrl"])


def bodies(count: int, word: str = "message") -> Sequence[str]:
    """So many bodies, each unlike the others."""
    return [f"{word} {number}" for number in range(count)]
