"""The options of mail that comes in: where it arrives, and where it goes from there. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.addresses import ADDRESS, PATTERN, TARGET
from sesmail.config.kinds import (
    DOMAIN,
    DOMAIN_OR_EMPTY,
    PATH,
    SWITCH,
    Entry,
    ListOf,
    choice,
    duration,
    matching,
    optional,
    whole,
)
from sesmail.config.locations import PREFIX, SERVER, STORE_URL
from sesmail.config.option import option, required

# Without letters and digits: with such a one most names would be cut short.
_SEPARATOR = matching(
    "separator", "one to four of the signs an address may have, such as + or --", r"[!#$%&'*+/=?^_`{|}~.-]{1,4}"
)
_FOLDER = matching("name", "the name of a folder, such as Junk, without a slash", r"[A-Za-z0-9][A-Za-z0-9 _-]{0,63}")
_VERDICT = choice("deliver", "junk", "hold", "drop")


@dataclass(frozen=True, kw_only=True)
class MailboxPrefix:
    """A key prefix whose mail is for one recipient, where nothing else tells for whom it is."""

    prefix: str = required(PREFIX, "Key prefix, used as it is.")
    recipient: str = required(ADDRESS, "The address that mail under it is for.")


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """Where SES puts mail that comes in, and how it is fetched from there."""

    url: str | None = option(optional(STORE_URL), None, "Store in which mail arrives, as storage.url; null is that one.")
    prefix: str = option(PREFIX, "new/", 'Key prefix under which SES stores mail; "" is the top of the bucket.')
    mailboxes: tuple[MailboxPrefix, ...] = option(
        ListOf(Entry(MailboxPrefix, "prefix")),
        (),
        "Prefixes whose mail is for one address, where no notice tells for whom it is.",
    )
    notices: bool = option(
        SWITCH,
        "true",
        "Whether SES tells of each message and its recipients; false when it is found by events of S3 or the sweep alone.",
    )
    guess: str = option(
        choice("stamp", "header", "none"),
        "stamp",
        "Recipients without a notice: stamp takes those that SES wrote on top, header also To and Cc, none holds the mail.",
    )
    sweep_every: float | None = option(
        optional(duration(0, 7 * 86400)),
        None,
        "How often mail that no notice led to is looked for; 0 never; null every 15m with a queue, SNS or notices: false, else never.",
    )
    sweep_after: float = option(duration(0, 7 * 86400), "15m", "Age from which the sweep takes a message.")
    swept_keep: float = option(
        duration(86400), "15d", "How long the original of mail whose recipients were guessed is kept for a late notice."
    )
    workers: int = option(whole(1, 256), "16", "How many messages are sorted at a time.")


@dataclass(frozen=True, kw_only=True)
class DomainAlias:
    """A domain that has the addresses of another one."""

    domain: str = required(DOMAIN, "The domain under another name.")
    as_: str = required(DOMAIN, "The domain whose addresses it has.")


@dataclass(frozen=True, kw_only=True)
class CatchAll:
    """Where mail for all other addresses of a domain goes."""

    domain: str = required(DOMAIN, "The domain.")
    to: tuple[str, ...] = required(ListOf(TARGET), "Targets, as in routes.")


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where mail for one address goes."""

    address: str = required(ADDRESS, "The address, without a tag.")
    to: tuple[str, ...] = required(
        ListOf(TARGET), "Targets: mailbox:, lmtp:, maildir:, pipe:, forward:, drop:, bounce:, hold:, or a name."
    )


@dataclass(frozen=True, kw_only=True)
class Routing:
    """Which address leads where."""

    domains: tuple[str, ...] = option(
        ListOf(DOMAIN), (), "Domains that are ours; those of mailboxes.domains and relay.local_domains are so anyway."
    )
    separators: tuple[str, ...] = option(
        ListOf(_SEPARATOR), ("+",), "What begins a tag: mail for tom+shop@ is tom's; [] gives tags no meaning."
    )
    domain_aliases: tuple[DomainAlias, ...] = option(
        ListOf(Entry(DomainAlias, "alias")), (), "Domains that have the addresses of another one."
    )
    deny: tuple[str, ...] = option(ListOf(PATTERN), (), "Addresses and domains that get no mail, with any tag.")
    routes: tuple[Route, ...] = option(ListOf(Entry(Route, "route")), (), "Where mail for single addresses goes.")
    accounts: str = option(
        choice("mailbox", "lmtp"),
        "mailbox",
        "Where mail for accounts goes: their mailbox in the store, or the server of lmtp_out.",
    )
    catch_all: tuple[CatchAll, ...] = option(
        ListOf(Entry(CatchAll, "domain")), (), "Where mail for addresses that nobody has goes."
    )
    open_domains: tuple[str, ...] = option(
        ListOf(DOMAIN), (), "Domains in which every address has a mailbox, made by its first mail."
    )
    unknown: str = option(choice("hold", "bounce", "drop"), "hold", "What becomes of mail for addresses that nobody has.")
    inactive: str = option(
        choice("bounce", "hold", "drop"), "bounce", "The same for addresses that were turned off; hold without bounce_from."
    )
    denied: str = option(choice("drop", "hold", "bounce"), "drop", "The same for those of deny.")
    spam: str = option(_VERDICT, "deliver", "What becomes of mail that SES found to be spam.")
    virus: str = option(_VERDICT, "deliver", "The same where it found a virus.")
    unscanned: str = option(_VERDICT, "deliver", "The same where it could not look for spam or viruses.")
    dmarc_quarantine: str = option(
        _VERDICT, "deliver", "The same where DMARC failed and the sender's domain asks for quarantine."
    )
    dmarc_reject: str = option(_VERDICT, "deliver", "The same where the sender's domain asks to reject it.")
    junk: str = option(_FOLDER, "Junk", "Folder of a mailbox for mail that is junk.")
    forward_from: str | None = option(
        optional(ADDRESS),
        None,
        "Address that forwarded mail is from, of an identity of SES; null holds what is to be forwarded.",
    )
    bounce_from: str | None = option(
        optional(ADDRESS), None, "Address that reports to senders are from, of an identity of SES; null sends none."
    )
    bounce_text: str | None = option(
        optional(matching("text", "printable text, up to 500 characters", r"[^\x00-\x1f\x7f]{1,500}")),
        None,
        "What these reports say, {mailbox} standing for the address; null leaves that to SES.",
    )
    make_maildirs: bool = option(
        SWITCH, "false", "Whether a Maildir that is missing is made, where the folder above it is there."
    )
    pipe_timeout: float = option(duration(1, 86400), "5m", "Longest time that a command may take for one message.")
    in_store: str | None = option(
        optional(TARGET), None, "What the target S3 of older tables stands for, such as mailbox:tom@example.com."
    )


@dataclass(frozen=True, kw_only=True)
class LmtpOut:
    """The LMTP server, such as Dovecot, to which mail goes where routing says so."""

    host: str = option(SERVER, "", "Name or address of the server, or the path of its socket.")
    port: int = option(whole(1, 65535), "24", "Its port.")
    tls: str = option(
        choice("implicit", "starttls", "none"),
        "none",
        "implicit: TLS from the start; starttls: STARTTLS or no mail; none: no TLS.",
    )
    ca_file: str | None = option(
        optional(PATH), None, "Certificates that vouch for the server; null takes those of the machine."
    )
    server_name: str = option(DOMAIN_OR_EMPTY, "", 'Name in its certificate, where that is not host; "" is host.')
    timeout: float = option(duration(1, 3600), "60", "Longest wait for any answer of the server.")
    patience: float = option(duration(1, 3600), "5m", "Longest time for one message.")
