"""A queue of SQS: messages are received for a time, kept longer, given back, deleted. One request each, ten messages at most.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from sesmail.aws.failures import EXPECTED
from sesmail.aws.late import ApiPlace, LateClient
from sesmail.errors import Unavailable

MOST = 10
"""Messages in one request (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)."""
LONGEST_WAIT = 20
"""Seconds that SQS holds a request for messages."""

_REGION = re.compile(r"https://(?:sqs|queue)\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/")


@dataclass(frozen=True, kw_only=True)
class QueuePlace(ApiPlace):
    """Which queue, and as whom. Without `region` it is the one that the URL names."""

    url: str


@dataclass(frozen=True)
class Received:
    """One message of a queue. `count`: how often it was received so far, this time included. `receipt` is valid while it is kept."""

    id: str
    body: str = field(repr=False)
    receipt: str = field(repr=False)
    count: int = 1


def region_of(url: str) -> str | None:
    """The region that one of AWS's own URLs names."""
    named = _REGION.match(url)
    return named[1] if named else None


class QueueTrouble(Unavailable):
    """The queue could not be asked. `word` names the trouble, the same as long as it lasts: a code of AWS, or the name of an error."""

    def __init__(self, error: Exception, word: str = "") -> None:
        super().__init__(cause=error)
        self.word = word or type(error).__name__


class Queue:
    """Thread-safe. The client is made when it is first needed. Every method raises QueueTrouble when nothing could be asked.

    Timeouts are in seconds; `read_timeout` comes on top of the time that SQS itself waits for messages.
    """

    def __init__(
        self,
        place: QueuePlace,
        *,
        connect_timeout: float = 5,
        read_timeout: float = 10,
        connections: int = 16,
        sts_endpoint: str | None = None,
    ) -> None:
        self.url = place.url
        # Who calls tries again himself: he knows for how long it makes sense.
        self._made = LateClient(
            place,
            "sqs",
            connect_timeout=connect_timeout,
            read_timeout=LONGEST_WAIT + read_timeout,
            connections=connections,
            sts_endpoint=sts_endpoint,
            region=place.region or region_of(place.url),
        )

    def receive(self, *, visibility: int, most: int = MOST, wait: int = LONGEST_WAIT) -> list[Received]:
        """At most `most` messages, nobody else's for `visibility` seconds; empty when none came within `wait` seconds."""
        said = self._ask(
            "receive_message",
            AttributeNames=["ApproximateReceiveCount"],
            MaxNumberOfMessages=min(most, MOST),
            WaitTimeSeconds=min(wait, LONGEST_WAIT),
            VisibilityTimeout=visibility,
        )
        return [_received(one) for one in said.get("Messages") or ()]

    def delete(self, messages: Sequence[Received]) -> dict[str, str]:
        """Remove these, MOST at most. Returns those that remain: SQS's reason, by the message's receipt."""
        return self._ask_for("delete_message_batch", messages, lambda _: {})

    def keep(self, messages: Mapping[Received, int]) -> dict[str, str]:
        """Nobody else gets these for so many seconds from now, 0 gives one back at once. Otherwise as `delete`."""
        return self._ask_for(
            "change_message_visibility_batch", list(messages), lambda message: {"VisibilityTimeout": messages[message]}
        )

    def _ask_for(
        self, operation: str, messages: Sequence[Received], more: Callable[[Received], dict[str, int]]
    ) -> dict[str, str]:
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt, **more(message)} for number, message in enumerate(messages)
        ]
        said = self._ask(operation, Entries=entries)
        done = {str(one.get("Id")) for one in said.get("Successful") or ()}
        reasons = {str(one.get("Id")): str(one.get("Code")) for one in said.get("Failed") or ()}
        # What the answer does not name was not done.
        return {
            message.receipt: reasons.get(str(number), "not answered")
            for number, message in enumerate(messages)
            if str(number) not in done
        }

    def _ask(self, operation: str, **said: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client(), operation)(QueueUrl=self.url, **said)
        except ClientError as error:
            raise QueueTrouble(error, str(error.response.get("Error", {}).get("Code") or "")) from error
        except (*EXPECTED, ResponseParserError) as error:
            raise QueueTrouble(error) from error
        return answer

    def _client(self) -> Any:
        try:
            return self._made.client()
        except Unavailable as error:
            raise QueueTrouble(error.cause if isinstance(error.cause, Exception) else error) from error


def _received(said: Mapping[str, Any]) -> Received:
    count = str((said.get("Attributes") or {}).get("ApproximateReceiveCount", ""))
    return Received(
        str(said.get("MessageId", "")),
        str(said.get("Body", "")),
        str(said.get("ReceiptHandle", "")),
        int(count) if count.isascii() and count.isdigit() else 1,
    )
