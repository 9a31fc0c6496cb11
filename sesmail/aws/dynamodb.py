"""One table of DynamoDB: requests that are repeated where that is safe, and answers in terms of ours. Items are as the API writes them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from sesmail.aws.failures import EXPECTED
from sesmail.aws.late import ApiPlace, LateClient
from sesmail.errors import Limited, TooLarge, Unavailable

Item: TypeAlias = dict[str, dict[str, Any]]
"""Attributes by their names, each with its type: ``{"identifier": {"S": "..."}}``."""

_LONGEST_PAUSE = 1.0
_THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "ThrottlingError"}
    | {"ProvisionedThroughputExceeded"}
)
# Another request was at the same item; this one was not carried out.
_CONFLICTS = frozenset({"TransactionConflictException", "TransactionConflict", "ReplicatedWriteConflictException"})
_CONDITION = "ConditionalCheckFailed"


@dataclass(frozen=True, kw_only=True)
class TablePlace(ApiPlace):
    """Which table, and as whom."""

    table: str


class ConditionFailed(Exception):
    """Nothing was written, for an item is not as the condition wants it. `failed`: which ones of a transaction, by their numbers."""

    def __init__(self, failed: frozenset[int] = frozenset()) -> None:
        super().__init__()
        self.failed = failed


class DynamoTable:
    """Thread-safe. The client is made when it is first needed. Every method raises Unavailable, and Limited when AWS throttles.

    Timeouts are in seconds, of one connection and of one silence. A request is tried `attempts` times, with growing, random pauses; what may
    have been carried out is repeated only where a second time changes nothing.
    """

    def __init__(
        self,
        place: TablePlace,
        *,
        connect_timeout: float = 5,
        read_timeout: float = 10,
        connections: int = 16,
        attempts: int = 5,
        sts_endpoint: str | None = None,
        pause: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._name = place.table
        self._attempts = attempts
        self._pause = pause
        self._chance = chance
        self._made = LateClient(
            place,
            "dynamodb",
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            connections=connections,
            sts_endpoint=sts_endpoint,
        )

    def get(self, key: Item) -> Item | None:
        """The item as it is now."""
        found: Item | None = self.read("get_item", Key=key, ConsistentRead=True).get("Item")
        return found

    def read(self, operation: str, **said: Any) -> Mapping[str, Any]:
        """The answer to ``get_item``, ``query`` or ``scan``."""
        return self._ask(operation, True, TableName=self._name, **said)

    def write(self, operation: str, **said: Any) -> Mapping[str, Any]:
        """The answer to ``put_item``, ``update_item`` or ``delete_item``; durable on return. Raises ConditionFailed, and TooLarge for an
        item that has outgrown DynamoDB's 400 KB."""
        return self._ask(operation, False, TableName=self._name, **said)

    def transact(self, *writes: tuple[str, Mapping[str, Any]]) -> None:
        """All of these or none: ``("Put", {...})`` and so on. Otherwise as `write`."""
        items = [{kind: {"TableName": self._name, **said}} for kind, said in writes]
        # With the token a second request is known for the first one.
        self._ask("transact_write_items", True, TransactItems=items, ClientRequestToken=str(uuid.uuid4()))

    def _ask(self, operation: str, harmless: bool, **said: Any) -> Mapping[str, Any]:
        for attempt in range(1, self._attempts + 1):
            try:
                answer: Mapping[str, Any] = getattr(self._made.client(), operation)(**said)
                return answer
            except ClientError as error:
                trouble, again = _meaning(error, harmless)
            except (*EXPECTED, ResponseParserError) as error:
                trouble, again = Unavailable(cause=error), harmless
            if not again or attempt == self._attempts:
                raise trouble
            self._pause(min(_LONGEST_PAUSE, 0.05 * 2**attempt) * self._chance())
        raise AssertionError("attempts is at least one")


def _meaning(error: ClientError, harmless: bool) -> tuple[Exception, bool]:
    """What is to be raised, and whether another attempt makes sense before."""
    said, status = error.response.get("Error", {}), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, text = str(said.get("Code", "")), str(said.get("Message", ""))
    reasons = [str(one.get("Code", "")) for one in error.response.get("CancellationReasons") or ()]
    if code.removesuffix("Exception") == _CONDITION:
        return ConditionFailed(), False
    if _THROTTLES.intersection((code, *reasons)):
        return Limited(cause=error), True
    if _CONFLICTS.intersection((code, *reasons)):
        return Limited(cause=error), True
    if _CONDITION in reasons:
        return ConditionFailed(_numbers(reasons)), False
    if code == "ValidationException" and "size" in text.lower() and "exceed" in text.lower():
        return TooLarge("there are too many entries", cause=error), False
    return Unavailable(cause=error), harmless and (status >= 500 or code == "TransactionInProgressException")


def _numbers(reasons: Sequence[str]) -> frozenset[int]:
    return frozenset(number for number, code in enumerate(reasons) if code == _CONDITION)
