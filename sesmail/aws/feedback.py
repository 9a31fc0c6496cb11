"""What SES tells of mail that was sent: bounces, complaints and so on, whether an identity or a configuration set sends them.

https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from sesmail.aws.document import Part, printable
from sesmail.aws.receipt import MOST_RECIPIENTS
from sesmail.errors import Malformed
from sesmail.mail.mailboxes import mailboxes

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._=@~-]{0,127}", re.ASCII)
_LONGEST_REPLY = 400
_MOST_FIELDS = 1000
_TELLING = {name.lower(): name for name in ("Date", "From", "To", "Cc", "Subject", "Message-ID")}


class Kind(enum.Enum):
    """What SES tells. REJECT: SES took the message and found a virus in it. DELAY: it is still being tried."""

    BOUNCE = "Bounce"
    COMPLAINT = "Complaint"
    DELIVERY = "Delivery"
    DELAY = "DeliveryDelay"
    REJECT = "Reject"


OF_NO_INTEREST = frozenset(
    {"Send", "Open", "Click", "Subscription", "Rendering Failure", "RenderingFailure", "AmazonSnsSubscriptionSucceeded"}
)
"""Kinds that say nothing of what became of a message that sesmail sent."""


@dataclass(frozen=True)
class Recipient:
    """One whom it concerns: the address, the enhanced status (``""`` if none is given) and the other server's reply in one line of
    ASCII, as in Diagnostic-Code (RFC 3464 section 2.3.6), so usually with ``smtp;`` in front."""

    address: str
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True)
class Feedback:
    """What became of a message that was sent.

    `message_id` is what SES called it when it was sent. `sender` is its envelope sender, ``""`` where that is no address here.
    Recipients whose address cannot be read are left out. `id` is the same whenever SES tells the same again, ``""`` where SES gives none.
    `permanent`: nothing will come of another attempt (a bounce of the type Permanent, a reject). `detail`: the type of a bounce, of a
    complaint or of a delay, the reason of a reject, the reply to a delivery, in one line of ASCII. `at`, and when it was `sent`, are in
    seconds since 1970. `header` has those of its fields that tell its author which one it was, as far as SES includes them: name and value,
    each in one line of ASCII.
    """

    kind: Kind
    message_id: str
    sender: str
    recipients: tuple[Recipient, ...]
    at: float
    id: str = ""
    permanent: bool = False
    detail: str = ""
    sent: float = 0.0
    header: tuple[tuple[str, str], ...] = ()


# Where each kind keeps what it says, the list of recipients in it, and what tells more of it.
_MEMBERS = {
    Kind.BOUNCE: ("bounce", "bouncedRecipients", ("bounceType", "bounceSubType")),
    Kind.COMPLAINT: ("complaint", "complainedRecipients", ("complaintFeedbackType", "complaintSubType")),
    Kind.DELIVERY: ("delivery", "recipients", ("smtpResponse",)),
    Kind.DELAY: ("deliveryDelay", "delayedRecipients", ("delayType",)),
    Kind.REJECT: ("reject", "", ("reason",)),
}


def feedback(said: Part, word: str) -> Feedback | None:
    """Read an object whose ``notificationType`` or ``eventType`` is `word`; None for those of no interest. Raises Malformed."""
    if word in OF_NO_INTEREST:
        return None
    kind = next((kind for kind in Kind if kind.value == word), None)
    if kind is None:
        raise Malformed(f"events of SES of the kind {printable(word, 40)} are not known here")
    mail, (name, listed, details) = said.member("mail"), _MEMBERS[kind]
    body = said.member(name)
    # The envelope's: mail.destination is the header's only in mail that comes in.
    concerned = body.member(listed) if listed else mail.member("destination")
    at = (body if body.has("timestamp") else mail).member("timestamp").time()
    return Feedback(
        kind,
        _id(mail.member("messageId")),
        _sender(mail),
        tuple(found for item in concerned.items(MOST_RECIPIENTS) if (found := _recipient(item))),
        at,
        _id(body.member("feedbackId")) if body.has("feedbackId") else "",
        kind is Kind.REJECT or (kind is Kind.BOUNCE and body.member("bounceType").text() == "Permanent"),
        "/".join(_line(body, detail) for detail in details if body.has(detail)),
        mail.member("timestamp").time() if mail.has("timestamp") else at,
        _header(mail),
    )


def _id(part: Part) -> str:
    name = part.text()
    if not _ID.fullmatch(name):
        raise Malformed(f"{part.path} is not an id of SES")
    return name


def _sender(mail: Part) -> str:
    return _mailbox(mail.member("source").text()) if mail.has("source") else ""


def _header(mail: Part) -> tuple[tuple[str, str], ...]:
    try:
        items = mail.member("headers").items(_MOST_FIELDS)
        named = [(_TELLING.get(item.member("name").text().lower()), _line(item, "value")) for item in items]
    except Malformed:
        # It is there for people to read: nothing else is to fail for it.
        return ()
    return tuple((name, value) for name, value in named if name is not None)


def _recipient(item: Part) -> Recipient | None:
    if isinstance(item.value, str):
        address = _mailbox(item.text())
        return Recipient(address) if address else None
    address = _mailbox(item.member("emailAddress").text())
    status = _line(item, "status")
    return Recipient(address, status if _STATUS.fullmatch(status) else "", _line(item, "diagnosticCode")) if address else None


def _mailbox(written: str) -> str:
    """The address, also of ``Name <address>``; ``""`` unless it is exactly one."""
    try:
        found = mailboxes(written.encode("utf-8"))
    except Malformed:
        return ""
    return found[0] if len(found) == 1 else ""


def _line(part: Part, name: str) -> str:
    return printable(part.member(name).text(65_536), _LONGEST_REPLY) if part.has(name) else ""
