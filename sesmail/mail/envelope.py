"""The envelope: who sends, who is to get it. What a message's own header says about either never matters to where it goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Envelope:
    """RFC 5321 section 2.3.1.

    Addresses are in the form that `mail.address` gives. `sender` is ``""`` for the null sender. `returns` is where a report goes if a
    recipient cannot be reached, ``""`` for nowhere: it is empty whenever `sender` is, and also for mail that only goes out under
    another sender because a null one is not taken (RFC 8098 section 3.2). `account` names who submitted it, for the log. `queue_id` is
    what the mail server before us calls the message, a word as `mail.trace` gives it: two that differ in it are two, however alike.
    """

    sender: str
    recipients: tuple[str, ...]
    returns: str = ""
    account: str | None = None
    queue_id: str | None = None

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ValueError("an envelope without recipients")
        if self.returns and not self.sender:
            # RFC 3464 section 2: a report about a report is a loop.
            raise ValueError("nothing is returned to the null sender")
