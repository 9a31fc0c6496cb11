"""That SES received a message: what its notices and its Lambda events say of it.

https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sesmail.aws import objects
from sesmail.aws.document import Part, printable
from sesmail.errors import Malformed
from sesmail.mail.address import Address

MOST_RECIPIENTS = 1000
_SHOWN = 320


class Verdict(enum.Enum):
    """What one check of SES found. UNKNOWN: nothing is said of it, or a word that is not known here."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    GRAY = "GRAY"
    PROCESSING_FAILED = "PROCESSING_FAILED"
    DISABLED = "DISABLED"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def of(cls, word: str) -> Verdict:
        """The verdict with this word, in any case."""
        return cls.__members__.get(word.upper(), cls.UNKNOWN)


class DmarcPolicy(enum.Enum):
    """What the domain in From asks to be done with mail that fails DMARC (RFC 7489 section 6.3)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


@dataclass(frozen=True)
class Verdicts:
    """What SES found. `dmarc_policy` is there only when DMARC failed."""

    spam: Verdict = Verdict.UNKNOWN
    virus: Verdict = Verdict.UNKNOWN
    spf: Verdict = Verdict.UNKNOWN
    dkim: Verdict = Verdict.UNKNOWN
    dmarc: Verdict = Verdict.UNKNOWN
    dmarc_policy: DmarcPolicy | None = None


UNCHECKED = Verdicts()


@dataclass(frozen=True)
class Incoming:
    """Where the receipt rule's S3 action writes: for events that do not say it. `prefix` is literal, and may be empty."""

    bucket: str
    prefix: str = ""


@dataclass(frozen=True)
class Notice:
    """A message lies in the bucket.

    `message_id` is SES's own, safe as part of a key, of a file's name and as a UIDL. `recipients` are those of the envelope, in the form
    that `mail.address` gives and each once; None when the event does not say for whom the message is. `unreadable`: what stands among
    the recipients and is no address here, printable: such a message must not be deleted as if all had it. `sender` is the envelope's,
    ``""`` for the null sender and for one that is no address here, None when the event does not say. `received` is in seconds since 1970.
    """

    message_id: str
    bucket: str
    key: str
    received: float
    recipients: tuple[str, ...] | None = None
    unreadable: tuple[str, ...] = ()
    sender: str | None = None
    verdicts: Verdicts = UNCHECKED


def notice(said: Part, incoming: Incoming) -> Notice | None:
    """Read an object with ``mail`` and ``receipt``; None for the one that SES sends when a rule is made.

    `incoming` is where the message lies if a Lambda action tells of it, which does not say that. Raises Malformed.
    """
    mail = said.member("mail")
    message_id = objects.message_id(mail.member("messageId"))
    if message_id == objects.SETUP_NOTE:
        return None
    receipt = said.member("receipt")
    bucket, key = _place(receipt.member("action"), message_id, incoming)
    recipients, unreadable = recipients_of(receipt.member("recipients"))
    return Notice(
        message_id,
        bucket,
        key,
        receipt.member("timestamp").time(),
        recipients if recipients or unreadable else None,
        unreadable,
        _sender(mail),
        _verdicts(receipt),
    )


def _place(action: Part, message_id: str, incoming: Incoming) -> tuple[str, str]:
    kind = action.member("type").text()
    if kind == "S3":
        return objects.bucket(action.member("bucketName")), objects.key(action.member("objectKey"))
    if kind == "Lambda":
        return incoming.bucket, incoming.prefix + message_id
    raise Malformed(
        f"a notice of the receipt rule's {printable(kind, 20)} action does not say where the message lies:"
        " give the SNS topic to the rule's S3 action instead"
    )


def recipients_of(listed: Part) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ``recipients`` of a receipt: those that are addresses, and what else stands there; see Notice. Raises Malformed."""
    # Header addresses (mail.destination) are no recipients: they miss Bcc and lists, and a sender can write anything there.
    addresses: dict[str, None] = {}
    unreadable: dict[str, None] = {}
    for item in listed.items(MOST_RECIPIENTS):
        written = item.text()
        address = _address(written)
        if address is None:
            unreadable[printable(written, _SHOWN)] = None
        else:
            addresses[address] = None
    return tuple(addresses), tuple(unreadable)


def _sender(mail: Part) -> str:
    # Some senders' addresses are longer than the standard allows: their mail must come in all the same.
    return (_address(mail.member("source").text()) or "") if mail.has("source") else ""


def _address(written: str) -> str | None:
    try:
        return str(Address.parse(written))
    except Malformed:
        return None


def _verdicts(receipt: Part) -> Verdicts:
    found = {name: _verdict(receipt, name + "Verdict") for name in ("spam", "virus", "spf", "dkim", "dmarc")}
    return Verdicts(**found, dmarc_policy=_policy(receipt))


def _verdict(receipt: Part, name: str) -> Verdict:
    return Verdict.of(receipt.member(name).member("status").text()) if receipt.has(name) else Verdict.UNKNOWN


def _policy(receipt: Part) -> DmarcPolicy | None:
    if not receipt.has("dmarcPolicy"):
        return None
    return DmarcPolicy.__members__.get(receipt.member("dmarcPolicy").text().upper())
