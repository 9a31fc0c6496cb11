"""True sizes of messages whose stored form is not the CRLF form, remembered from the first time that each was read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping


class Learned:
    """Octets of the CRLF form by mailbox and message, at most `limit` over all mailboxes.

    A message is named by its key and ETag, so that an object written anew is learned anew. What has to go are the oldest
    entries of the mailbox that was opened longest ago.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._count = 0
        self._mailboxes: OrderedDict[Hashable, dict[bytes, int]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def of(self, mailbox: Hashable) -> Mapping[bytes, int]:
        """What is known of this mailbox."""
        if mailbox not in self._mailboxes:
            return {}
        self._mailboxes.move_to_end(mailbox)
        return self._mailboxes[mailbox]

    def learn(self, mailbox: Hashable, message: bytes, octets: int) -> None:
        """Remember that a message goes out in so many octets."""
        known = self._mailboxes.setdefault(mailbox, {})
        self._mailboxes.move_to_end(mailbox)
        self._count += message not in known
        known[message] = octets
        while self._count > self._limit:
            self._forget_one()

    def _forget_one(self) -> None:
        mailbox, known = next(iter(self._mailboxes.items()))
        del known[next(iter(known))]
        self._count -= 1
        if not known:
            del self._mailboxes[mailbox]
