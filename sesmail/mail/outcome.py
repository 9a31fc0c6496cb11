"""What became of one recipient of a message, in the words of SMTP, whoever carried it."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\Z")
_UNPRINTABLE = re.compile(r"[^ -~]+")
# RFC 5321 section 4.5.3.1.5: a reply line has 512 octets.
_LONGEST_TEXT = 400


class Verdict(enum.Enum):
    """The three ways in which an attempt can end."""

    ACCEPTED = "accepted"
    LATER = "later"
    REFUSED = "refused"


_FIRST_DIGIT = {2: Verdict.ACCEPTED, 4: Verdict.LATER, 5: Verdict.REFUSED}


@dataclass(frozen=True)
class Outcome:
    """One recipient's answer: reply code, enhanced status (RFC 3463), and a text that the sender may see.

    `id` is what the next hop calls the message it accepted. `wait`: seconds before which another attempt is pointless.
    `alarm`: for the operator alone, when the fault is our own configuration; never shown to a sender. `content`: a refusal that may be
    meant for the message or for any one recipient of those it was tried with. `tried`: False when nothing was even attempted, as the
    sending rate was used up: such a LATER comes back after `wait`, and does not count as a failure.
    """

    code: int
    status: str
    text: str
    id: str | None = None
    wait: float | None = None
    alarm: str | None = None
    content: bool = False
    tried: bool = True

    def __post_init__(self) -> None:
        if self.code // 100 not in _FIRST_DIGIT or not _STATUS.match(self.status) or int(self.status[0]) != self.code // 100:
            raise ValueError(f"not a reply: {self.code} {self.status}")
        # The text may come from the next hop: it must stay one line, and short.
        object.__setattr__(self, "text", _UNPRINTABLE.sub(" ", self.text).strip()[:_LONGEST_TEXT])

    @property
    def verdict(self) -> Verdict:
        """What is to be done about it."""
        return _FIRST_DIGIT[self.code // 100]

    @property
    def reply(self) -> str:
        """The reply line without its end."""
        return f"{self.code} {self.status} {self.text}"
