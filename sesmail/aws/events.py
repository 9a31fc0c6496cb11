"""Every shape in which an event of mail comes in, made one: through SNS, SQS or Lambda, from SES or from S3."""

from __future__ import annotations

from typing import TypeAlias

from sesmail.aws import receipt, s3event
from sesmail.aws.document import LONGEST_DOCUMENT, Part, load
from sesmail.aws.feedback import Feedback, feedback
from sesmail.aws.receipt import Incoming, Notice
from sesmail.errors import Malformed

MOST_RECORDS = 1000

Event: TypeAlias = Notice | Feedback

# What SES sends to a topic that was given to a configuration set, in place of JSON.
_PLAIN_NOTE = "Successfully validated SNS topic"


def read(body: bytes | str, incoming: Incoming) -> tuple[Event, ...]:
    """The events of one message of SQS or SNS, an SNS envelope around it or not; empty when there is nothing to do.

    Nothing to do: test events, what SES sends when a rule or a topic is made, events of no interest. All records of an event are read
    before any is given, so that a bad one cannot hide behind a good one. Raises Malformed, whose text says what was found, and TooLarge.
    `incoming`: see `receipt.notice`.
    """
    if _is_plain_note(body):
        return ()
    return events(load(body).value, incoming)


def events(document: object, incoming: Incoming) -> tuple[Event, ...]:
    """As `read`, for an event that is decoded already, as Lambda hands it over."""
    return _events(Part(document), incoming, wrapped=False)


def _events(said: Part, incoming: Incoming, *, wrapped: bool) -> tuple[Event, ...]:
    if said.has("Records"):
        records = said.member("Records").items(MOST_RECORDS)
        return tuple(event for record in records for event in _record(record, incoming, wrapped=wrapped))
    if said.has("Type") and not wrapped:
        return _enveloped(said, incoming)
    for name in ("notificationType", "eventType"):
        if said.has(name):
            return _told(said, said.member(name).text(), incoming)
    if said.has("Event") and said.member("Event").text() == "s3:TestEvent":
        return ()
    raise Malformed(f"not an event of mail: {said.path or 'the document'} is {said.found}")


def _record(record: Part, incoming: Incoming, *, wrapped: bool) -> tuple[Event, ...]:
    if record.has("ses"):
        found = receipt.notice(record.member("ses"), incoming)
    elif record.has("s3"):
        found = s3event.notice(record, incoming.prefix)
    elif record.has("Sns") and not wrapped:
        return _enveloped(record.member("Sns"), incoming)
    else:
        raise Malformed(f"not an event of mail: {record.path} is {record.found}")
    return () if found is None else (found,)


def _enveloped(envelope: Part, incoming: Incoming) -> tuple[Event, ...]:
    if envelope.member("Type").text() != "Notification":
        raise Malformed("a message of SNS that carries no mail: a subscription, which must be confirmed in SNS")
    message = envelope.member("Message")
    text = message.text(LONGEST_DOCUMENT)
    return () if _is_plain_note(text) else _events(load(text, message.path), incoming, wrapped=True)


def _told(said: Part, word: str, incoming: Incoming) -> tuple[Event, ...]:
    found = receipt.notice(said, incoming) if word == "Received" else feedback(said, word)
    return () if found is None else (found,)


def _is_plain_note(body: bytes | str) -> bool:
    return body.startswith(_PLAIN_NOTE) if isinstance(body, str) else body.startswith(_PLAIN_NOTE.encode("ascii"))
