"""The question that a receipt rule's Lambda action asks before mail is stored, and the answers that SES knows.

https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda-event.html
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sesmail.aws import objects
from sesmail.aws.document import Part
from sesmail.aws.receipt import recipients_of
from sesmail.errors import Malformed

MARK = "X-Postfix-Check-2"
"""The header that the second rule adds before it asks."""

_MOST_HEADERS = 5_000


class Answer(enum.Enum):
    """What SES does next: STOP leaves this rule for the next one, CONTINUE goes on to the rule's next action."""

    STOP = "STOP_RULE"
    CONTINUE = "CONTINUE"


@dataclass(frozen=True)
class Question:
    """One message. `recipients` and `unreadable` are those of the envelope, see Notice; `marks` are the values of the headers MARK. (Of
    headers above 10 KB SES tells only the first.)"""

    message_id: str
    recipients: tuple[str, ...]
    unreadable: tuple[str, ...]
    marks: tuple[str, ...]


def question(event: object) -> Question:
    """Read the event, which has exactly one record. Raises Malformed."""
    records = Part(event).member("Records").items(1)
    if not records:
        raise Malformed("the event has no record")
    said = records[0].member("ses")
    mail = said.member("mail")
    recipients, unreadable = recipients_of(said.member("receipt").member("recipients"))
    return Question(objects.message_id(mail.member("messageId")), recipients, unreadable, _marks(mail))


def _marks(mail: Part) -> tuple[str, ...]:
    if not mail.has("headers"):
        return ()
    headers = mail.member("headers").items(_MOST_HEADERS)
    return tuple(_value(one) for one in headers if _name(one) == MARK.lower())


def _name(header: Part) -> str:
    name = header.member("name").value
    return name.lower() if isinstance(name, str) else ""


def _value(header: Part) -> str:
    value = header.member("value").value
    return value.strip() if isinstance(value, str) else ""
