"""How one step ends: what an error means for it, and the line that says where the message is now."""

from __future__ import annotations

import logging

from sesmail.delivery.message import Message
from sesmail.delivery.plan import Step
from sesmail.errors import Limited, MailError, Malformed, Refused, TooLarge
from sesmail.log import fate, lists
from sesmail.mail.outcome import Outcome, Verdict

log = logging.getLogger(__name__)

_TROUBLE = Outcome(451, "4.3.0", "temporary trouble here, try again later")
_FULL = Outcome(452, "4.3.1", "not enough room, try again later")


def failed(step: Step, message: Message, error: Exception) -> Outcome:
    """What an attempt that ended in this error comes to: a LATER, unless it says that the message is at fault. The log says why."""
    log.warning("message %s, %s: %s", message.arrival.id, step.name, error, exc_info=not isinstance(error, MailError))
    if isinstance(error, Malformed | Refused | TooLarge):
        code, status = (error.smtp or ("552 5.3.4" if isinstance(error, TooLarge) else "554 5.6.0")).split()
        return Outcome(int(code), status, error.public)
    return _FULL if isinstance(error, Limited) else _TROUBLE


def tell(word: str, step: Step, message: Message, outcome: Outcome, **more: object) -> None:
    """Log the fate of what was ACCEPTED; all else is not the end of it. `more` must not have a secret in it."""
    if outcome.verdict is not Verdict.ACCEPTED:
        return
    arrival = message.arrival
    for to in lists(step.recipients):
        fate(word, id=arrival.id, sender=arrival.sender, to=to, **more, next_id=outcome.id, reply=outcome.reply)
