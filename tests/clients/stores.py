"""Mailboxes filled and looked at from behind the gateway's back: in a bucket by boto3, in a directory by plain files."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.corpus.messages import Message
from tests.servers.seaweed import S3Server

DOMAIN = "example.com"
PASSWORD = "open sesame: 8 thieves"

# What lies between the mail and is none: (name behind the mailbox's prefix, bytes).
NO_MAIL = (
    ("AMAZON_SES_SETUP_NOTIFICATION", b"Subject: Amazon SES Setup Notification\r\n\r\nHello\r\n"),
    ("passwd.txt", b"tom:00\r\n"),
    ("0000000000000000000000000000000000000empty", b""),
    ("zzz-empty", b""),
    ("folder/", b""),
    ("folder/nested", b"Subject: nested\r\n\r\nNot here.\r\n"),
    ("2026/11/21/nested.eml", b"Subject: nested deeper\r\n\r\nNot here.\r\n"),
)


class Store(Protocol):
    """Where mailboxes lie, as the tests see it."""

    def storage(self) -> dict[str, Any]:
        """The section `storage` of a gateway's configuration."""

    def put(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Write these keys."""

    def remove(self, key: str) -> None:
        """Remove one key."""

    def arrivals(self, prefix: str) -> list[tuple[float, str]]:
        """(when it was written, key) of everything behind the prefix."""


class Bucket:
    """A new bucket on a real S3 server."""

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self._name = server.make_bucket(f"clients-{uuid.uuid4().hex[:12]}")
        self._client = server.client()

    def storage(self) -> dict[str, Any]:
        return {
            "url": f"s3://{self._name}",
            "endpoint": self._server.endpoint,
            "region": self._server.region,
            "access_key_id": self._server.access_key,
            "secret_access_key": self._server.secret_key,
        }

    def put(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        self._server.put_all(self._name, pairs)

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._name, Key=key)

    def arrivals(self, prefix: str) -> list[tuple[float, str]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        return [(row["LastModified"].timestamp(), row["Key"]) for page in pages for row in page.get("Contents", ())]


class Folder:
    """A directory with the same keys as a bucket."""

    # 21 November 2026, and some files of one second: then the key decides.
    _FIRST = 1_795_258_800

    def __init__(self, root: Path) -> None:
        self._root = root
        self._written = 0

    def storage(self) -> dict[str, Any]:
        return {"url": f"file://{self._root}"}

    def put(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        for key, stored in pairs:
            path = self._root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            if key.endswith("/"):
                path.mkdir(exist_ok=True)
                continue
            path.write_bytes(stored)
            self._written += 1
            os.utime(path, times=(self._FIRST + self._written // 5,) * 2)

    def remove(self, key: str) -> None:
        (self._root / key).unlink()

    def arrivals(self, prefix: str) -> list[tuple[float, str]]:
        files = (path for path in (self._root / prefix).rglob("*") if path.is_file())
        return [(path.stat().st_mtime, str(path.relative_to(self._root))) for path in files]


def prefix_of(user: str) -> str:
    return f"mailboxes/{DOMAIN}/{user}/"


def fill(store: Store, user: str, mails: Iterable[Message], *, last: frozenset[str] = frozenset()) -> None:
    """Put mail into a mailbox, and between it what is none. The messages named in `last` arrive after all others."""
    prefix = prefix_of(user)
    mails = list(mails)
    latest = [(prefix + mail.key, mail.stored) for mail in mails if mail.name in last]
    store.put([(prefix + name, stored) for name, stored in NO_MAIL])
    store.put([(prefix + mail.key, mail.stored) for mail in mails if mail.name not in last])
    store.put(latest)
    # A bucket's clock may stand still for a second.
    while latest and {mail.name for mail in in_order(store, user, mails)[-len(latest) :]} != last:
        store.put(latest)


def in_order(store: Store, user: str, mails: Iterable[Message]) -> list[Message]:
    """These messages as the gateway must number them: by arrival, then by key; those that are gone are left out."""
    prefix = prefix_of(user)
    by_key = {prefix + mail.key: mail for mail in mails}
    return [by_key[key] for _, key in sorted(store.arrivals(prefix)) if key in by_key]


def keys(store: Store, prefix: str) -> set[str]:
    return {key for _, key in store.arrivals(prefix)}


def let_in(store: Store, users: Iterable[str]) -> None:
    """Write the domain's passwd.txt: all of them with PASSWORD."""
    lines = [f"{user}:{hashlib.sha512(f'{user}:{PASSWORD}'.encode()).hexdigest()}\r\n" for user in users]
    store.put([(f"mailboxes/{DOMAIN}/passwd.txt", "".join(lines).encode())])
