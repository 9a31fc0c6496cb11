"""What SES tells of mail that was sent: whose it was, whom it concerns, why, and whether another attempt would help."""

from __future__ import annotations

from typing import Any

import pytest

from sesmail.aws.events import events
from sesmail.aws.feedback import OF_NO_INTEREST, Feedback, Kind, Recipient
from sesmail.aws.receipt import Incoming
from sesmail.errors import Malformed
from tests.aws import sesevents
from tests.aws.sesevents import AT, FEEDBACK_ID, OUTGOING_ID, RECEIVED

_HERE = Incoming("mail-of-example")
_UNKNOWN_USER = "smtp; 550 5.1.1 <a@else.example>... User unknown"


def one(document: object) -> Feedback:
    (found,) = events(document, _HERE)
    assert events(sesevents.envelope(document), _HERE) == events(sesevents.sns_event(document), _HERE) == (found,)
    assert isinstance(found, Feedback)
    return found


def bounced(**changed: Any) -> Feedback:
    return one(sesevents.outgoing("Bounce", "bounce", sesevents.bounce(**changed)))


@pytest.mark.parametrize("published", [False, True])
def test_a_bounce_says_who_sent_what_and_why_it_did_not_arrive(published: bool) -> None:
    assert one(sesevents.outgoing("Bounce", "bounce", sesevents.bounce(), published=published)) == Feedback(
        Kind.BOUNCE,
        OUTGOING_ID,
        "tom@example.com",
        (Recipient("a@else.example", "5.1.1", _UNKNOWN_USER),),
        AT,
        FEEDBACK_ID,
        True,
        "Permanent/General",
        AT - 1.654,
        (("To", "a@else.example, b@else.example"), ("Subject", "Gr\\xfc\\xdfe")),
    )


@pytest.mark.parametrize(("kind", "permanent"), [("Permanent", True), ("Transient", False), ("Undetermined", False)])
def test_only_a_permanent_bounce_is_final(kind: str, permanent: bool) -> None:
    assert bounced(bounceType=kind).permanent is permanent


def test_a_complaint_has_no_reply() -> None:
    complained = [{"emailAddress": "a@else.example"}, {"emailAddress": "b@else.example"}]
    body = {
        "complainedRecipients": complained,
        "timestamp": RECEIVED,
        "feedbackId": FEEDBACK_ID,
        "complaintSubType": None,
        "complaintFeedbackType": "abuse",
        "userAgent": "x",
    }
    found = one(sesevents.outgoing("Complaint", "complaint", body))
    assert (found.kind, found.detail, found.permanent) == (Kind.COMPLAINT, "abuse", False)
    assert found.recipients == (Recipient("a@else.example"), Recipient("b@else.example"))


def test_a_delivery_names_whom_it_reached() -> None:
    body = {"timestamp": RECEIVED, "recipients": ["a@else.example"], "smtpResponse": "250 ok: accepted"}
    found = one(sesevents.outgoing("Delivery", "delivery", body))
    assert (found.kind, found.detail, found.id) == (Kind.DELIVERY, "250 ok: accepted", "")
    assert found.recipients == (Recipient("a@else.example"),)


def test_a_delay_is_not_the_end() -> None:
    delayed = [{"emailAddress": "a@else.example", "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect"}]
    body = {"timestamp": RECEIVED, "delayType": "TransientCommunicationFailure", "delayedRecipients": delayed}
    found = one(sesevents.outgoing("DeliveryDelay", "deliveryDelay", body, published=True))
    assert (found.kind, found.permanent, found.detail) == (Kind.DELAY, False, "TransientCommunicationFailure")
    assert found.recipients == (Recipient("a@else.example", "4.4.1", "smtp; 421 4.4.1 Unable to connect"),)


def test_a_rejected_message_reached_nobody_of_its_envelope() -> None:
    found = one(sesevents.outgoing("Reject", "reject", {"reason": "Bad content"}, published=True))
    assert (found.kind, found.permanent, found.detail) == (Kind.REJECT, True, "Bad content")
    assert found.recipients == (Recipient("a@else.example"), Recipient("b@else.example"))


@pytest.mark.parametrize("word", sorted(OF_NO_INTEREST))
def test_what_says_nothing_of_a_messages_fate_is_nothing_to_do(word: str) -> None:
    assert events({"eventType": word, "mail": {}}, _HERE) == ()


@pytest.mark.parametrize(
    ("source", "sender"),
    [
        ("tom@example.com", "tom@example.com"),
        ("Tom <Tom@EXAMPLE.com>", "Tom@example.com"),
        ('"Doe, Tom" <tom@example.com>', "tom@example.com"),
        ("<tom@example.com>", "tom@example.com"),
        ("tom@example.com, jim@example.com", ""),
        ("", ""),
        ("MAILER-DAEMON", ""),
        ("tom@example.com\r\nBcc: x@y.example", ""),
    ],
)
def test_the_sender_is_one_address_or_none(source: str, sender: str) -> None:
    document = sesevents.outgoing("Bounce", "bounce", sesevents.bounce())
    document["mail"]["source"] = source
    assert one(document).sender == sender


def test_the_header_says_which_message_it_was_and_is_not_needed() -> None:
    document = sesevents.outgoing("Bounce", "bounce", sesevents.bounce())
    document["mail"]["headers"] = [
        {"name": "MESSAGE-ID", "value": "<1@example.com>"},
        {"name": "Received", "value": "from x"},
        {"name": "subject", "value": "a\r\nBcc: b@c.example"},
        {"name": "Date", "value": None},
    ]
    assert one(document).header == (("Message-ID", "<1@example.com>"), ("Subject", "a\\r\\nBcc: b@c.example"), ("Date", ""))
    odds: list[Any] = [None, "x", [5], [{"value": "x"}], [{"name": "To", "value": ["x"]}], [{}] * 1001]
    for odd in odds:
        document["mail"]["headers"] = odd
        assert one(document).header == ()


def test_a_recipient_that_is_no_address_is_left_out() -> None:
    listed = [{"emailAddress": "rfc822;x y"}, {"emailAddress": "<a@else.example>"}, {"emailAddress": ""}]
    assert bounced(bouncedRecipients=listed).recipients == (Recipient("a@else.example"),)


@pytest.mark.parametrize(
    ("status", "diagnostic", "read"),
    [
        ("5.1.1", "smtp; 550 no\r\nBcc: x@y.example", ("5.1.1", "smtp; 550 no\\r\\nBcc: x@y.example")),
        ("9.9.9", "smtp; 550 unbekannt: Jürgen", ("", "smtp; 550 unbekannt: J\\xfcrgen")),
        ("5.1.1 (bad)", "x" * 5000, ("", "x" * 400)),
        (None, None, ("", "")),
    ],
)
def test_a_reply_is_one_short_line_of_ascii(status: str | None, diagnostic: str | None, read: tuple[str, str]) -> None:
    listed = [{"emailAddress": "a@else.example", "status": status, "diagnosticCode": diagnostic}]
    (found,) = bounced(bouncedRecipients=listed).recipients
    assert (found.status, found.diagnostic) == read


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (sesevents.outgoing("Bounce", "complaint", {}), "bounce is missing"),
        (sesevents.outgoing("Bounce", "bounce", sesevents.bounce(bouncedRecipients="a@b.example")), "bounce.bouncedRecipients must be a list"),
        (sesevents.outgoing("Bounce", "bounce", sesevents.bounce(bouncedRecipients=[5])), "bounce.bouncedRecipients[0] must be an object"),
        (sesevents.outgoing("Bounce", "bounce", sesevents.bounce(feedbackId="../x")), "bounce.feedbackId is not an id of SES"),
        (sesevents.outgoing("Bounce", "bounce", sesevents.bounce(timestamp=5)), "bounce.timestamp must be a string"),
        (sesevents.outgoing("Bounce", "bounce", sesevents.bounce(bounceType=None)), "bounce.bounceType must be a string"),
        (sesevents.outgoing("Zap", "zap", {}), "events of SES of the kind Zap are not known here"),
    ],
)  # fmt: skip
def test_what_is_not_as_ses_says_it_is_malformed(document: object, said: str) -> None:
    with pytest.raises(Malformed) as raised:
        events(document, _HERE)
    assert raised.value.public.startswith(said)
