"""A bucket into which mail comes, and the function that sorts it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from botocore.exceptions import ClientError

from tests.aws import sesevents
from tests.functions.lambdas import Function, function
from tests.servers import seaweed

MESSAGE = b"From: ann@else.example\r\nTo: header@example.com\r\nSubject: 8-bit\r\n\r\nGr\xfc\xdfe\r\n.\r\nand \x80 more\r\n"


@dataclass
class Bucket:
    """A bucket of its own on a real server."""

    name: str = field(default_factory=lambda: f"function-{token_hex(6)}")

    def __post_init__(self) -> None:
        self._client = seaweed.running().client()
        self._client.create_bucket(Bucket=self.name)

    def arrive(self, body: bytes = MESSAGE, *, prefix: str = "new/", metadata: Mapping[str, str] | None = None) -> str:
        """SES puts a message there; returns the id it gives it."""
        id = token_hex(20)
        self._client.put_object(Bucket=self.name, Key=prefix + id, Body=body, Metadata=dict(metadata or {}))
        return id

    def listed(self) -> list[str]:
        """Every key but those of our records."""
        found = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [item["Key"] for page in found for item in page.get("Contents", ()) if not item["Key"].startswith(".sesmail/")]

    def of(self, id: str) -> set[str]:
        """Those of this message."""
        return {key for key in self.listed() if id in key}

    def get(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def head(self, key: str) -> Any:
        return self._client.head_object(Bucket=self.name, Key=key)

    def exists(self, key: str) -> bool:
        try:
            self.head(key)
        except ClientError:
            return False
        return True

    def put(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=data)

    def about(self, event: dict[str, Any], id: str) -> dict[str, Any]:
        """The event, about this message in this bucket."""
        return about(event, id, self.name)

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of a function for this bucket, in which everybody at example.com has a mailbox; `more` are SESMAIL__ ones, by the
        rest of their names."""
        server = seaweed.running()
        options = {
            "STORAGE__URL": f"s3://{self.name}",
            "STORAGE__ENDPOINT": server.endpoint,
            "MAILBOXES__DOMAINS": "[example.com]",
            "ROUTING__OPEN_DOMAINS": "[example.com]",
        }
        keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        return keys | {f"SESMAIL__{name}": value for name, value in (options | more).items()}

    @contextmanager
    def function(self, **more: str) -> Iterator[Function]:
        """A function that nobody has called yet."""
        with function(self.environment(**more)) as made:
            yield made


def about(event: dict[str, Any], id: str, bucket: str = sesevents.BUCKET) -> dict[str, Any]:
    """The event, about this message in this bucket."""
    text = json.dumps(event).replace(sesevents.MESSAGE_ID, id).replace(sesevents.BUCKET, bucket)
    told: dict[str, Any] = json.loads(text)
    return told


def together(*events: dict[str, Any]) -> dict[str, Any]:
    """One event with the records of all."""
    return {"Records": [record for event in events for record in event["Records"]]}
