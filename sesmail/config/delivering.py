"""The options of `sesmail deliver` and its mailboxes. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.addresses import ADDRESS
from sesmail.config.aws import KMS_KEY, REGION
from sesmail.config.kinds import PATH, Entry, ListOf, Text, choice, duration, optional
from sesmail.config.locations import ENDPOINT_URL, STORE_URL
from sesmail.config.option import option, required
from sesmail.config.problems import BadValue
from sesmail.mail import dated

CATCH_ALL = "CatchAll"


def _address(text: str) -> str:
    return CATCH_ALL if text.lower() == CATCH_ALL.lower() else ADDRESS.parse(text)


def _prefix(text: str) -> str:
    try:
        dated.check(text)
    except ValueError as error:
        raise BadValue(str(error)) from None
    if any(part.startswith((".sesmail", "+")) for part in text.split("/")):
        raise BadValue("must not have a part that begins with .sesmail or a plus sign")
    return text


@dataclass(frozen=True, kw_only=True)
class DeliverMailbox:
    """Where the mail of one address goes that a mail server delivers."""

    address: str = required(
        Text("address | CatchAll", _address), "The address, in any case; CatchAll is for mail that is delivered without one."
    )
    url: str | None = option(optional(STORE_URL), None, "As storage.url, which null is.")
    prefix: str = option(
        Text("key prefix | dateTimeFormat(LAYOUT)", _prefix),
        "",
        'Folder in the store, or dateTimeFormat() with a layout of Go such as 2006/01/02; "" is the top.',
    )
    kms_key: str | None = option(
        optional(KMS_KEY),
        None,
        "KMS key with which messages are encrypted before they are stored; null stores them as they are.",
    )
    wrap: str = option(
        choice("kms+context", "kms"),
        "kms+context",
        "How the key of a message is wrapped: kms+context, or kms as mailtos3 did, which older readers need.",
    )


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """Mailboxes of their own for what a mail server delivers, by sesmail deliver or by LMTP."""

    mailboxes: tuple[DeliverMailbox, ...] = option(
        ListOf(Entry(DeliverMailbox, "place")),
        (),
        "Mailboxes by address; mail for all others goes where section routing sends it.",
    )
    catch_all: str = option(
        choice("unaddressed", "unknown"),
        "unaddressed",
        "What the mailbox CatchAll is for: mail without an address, or also mail for addresses that nobody has.",
    )
    region: str | None = option(optional(REGION), None, "As storage.region, for these mailboxes.")
    endpoint: str | None = option(optional(ENDPOINT_URL), None, "As storage.endpoint, for these mailboxes.")
    times: str = option(choice("local", "utc"), "local", "Which time the dates in prefixes are of: this machine's or UTC.")
    timeout: float = option(
        duration(1, 86400), "5m", "Longest time for one message where sesmail deliver writes to the store itself."
    )
    log: str | None = option(
        optional(PATH), None, "File to which sesmail deliver adds lines on what it stores itself; null is none."
    )
