"""The maildrop with one built-in message, for logins that want to see that a login works."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence, Set
from email.utils import formatdate

from sesmail.interfaces import Body
from sesmail.storage.body import MemoryBody

_MESSAGE = """\
Date: {date}
To: recipient@example.com
From: "aws-ses-pop3-server" <sender@example.com>
Subject: aws-ses-pop3-server

This message is built in. If you can read it, your login works.
"""


class Sample:
    """One message, dated `began` (Unix time). It may be removed, and is there again at the next login. See interfaces.Maildrop."""

    def __init__(self, began: float) -> None:
        self._data = _MESSAGE.format(date=formatdate(began, usegmt=True)).replace("\n", "\r\n").encode()

    def __len__(self) -> int:
        return 1

    def octets(self, index: int) -> int:
        return len(self._data)

    def uidl(self, index: int) -> bytes:
        return hashlib.sha1(self._data, usedforsecurity=False).hexdigest().encode()

    async def open(self, index: int, *, head: bool = False, skip: Set[int] = frozenset()) -> Body:
        return MemoryBody(self._data)

    def learn(self, index: int, octets: int) -> None:
        return

    def expired(self) -> Sequence[int]:
        return ()

    async def remove(self, indexes: Sequence[int]) -> Sequence[int]:
        return ()

    async def close(self) -> None:
        return
