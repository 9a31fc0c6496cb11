"""Where SES writes what comes in, and where a message waits that cannot go on yet: settings, and what may be taken from there."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sesmail.aws.document import Part
from sesmail.aws.objects import SETUP_NOTE, message_id
from sesmail.delivery.original import Original, Unsealed
from sesmail.storage.keys import PASSWD, RESERVED
from sesmail.storage.store import Store

RECORDS = f"{RESERVED.decode()}/held/"
"""Where it is written why each message is held, and for whom."""

_NO_MAIL = frozenset({"", PASSWD.decode(), SETUP_NOTE})


class Guess(enum.Enum):
    """How it is found out for whom a message is that no notice tells of. STAMP: whom SES names in it. HEADER: also who stands in To and
    Cc. NONE: not at all, it is held."""

    STAMP = "stamp"
    HEADER = "header"
    NONE = "none"


@dataclass(frozen=True)
class Inbox:
    """The bucket that SES writes to, and the literal prefixes in it.

    `bucket` is what notices call it. `prefix` may be empty: then mail comes in where no key has a ``/``. All mail behind a prefix of
    `fixed` is for that one recipient (as `mail.address` writes it), if no notice tells more. `notices`: notices come, if late; without them
    guesses are all that there will ever be. `unsealed` opens what was sealed, None where that cannot be.
    """

    store: Store
    bucket: str
    prefix: str = ""
    fixed: tuple[tuple[str, str], ...] = ()
    held: str = "held/"
    swept: str = "swept/"
    progress: str = f"{RESERVED.decode()}/progress/"
    notices: bool = True
    guess: Guess = Guess.STAMP
    unsealed: Unsealed | None = None

    def original(self, key: str) -> Original:
        """A message that lies there. To be closed."""
        return Original(self.store, key, self.unsealed)

    def is_incoming(self, key: str) -> bool:
        """Whether mail comes in there: not for what we wrote ourselves, nor for what is no mail."""
        if self._is_waiting(key) or key.rpartition("/")[2] in _NO_MAIL:
            return False
        if self.fixed_recipient(key) is not None:
            return True
        return key.startswith(self.prefix) if self.prefix else "/" not in key

    def is_ours(self, key: str) -> bool:
        """Whether mail comes in there, or waits there: no mailbox can be in such a place."""
        return self._is_waiting(key) or self.is_incoming(key)

    def _is_waiting(self, key: str) -> bool:
        return key.startswith((self.held, self.swept, self.progress, RECORDS))

    def fixed_recipient(self, key: str) -> str | None:
        """For whom all mail behind this key's prefix is; of several prefixes the longest counts."""
        found = [(len(prefix), recipient) for prefix, recipient in self.fixed if key.startswith(prefix)]
        return max(found)[1] if found else None


def checked_id(id: str) -> str:
    """The id of a message, as it may be a part of a key. Raises Malformed for what is none."""
    return message_id(Part(id, "the id"))
