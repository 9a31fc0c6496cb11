"""The options of the doors through which mail and news of mail come in: a queue, SNS, LMTP. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.aws import KEY_ID, PROFILE, QUEUE_URL, REGION, ROLE, TOPIC
from sesmail.config.kinds import SECRET, SWITCH, Entry, ListOf, choice, duration, matching, optional, size, whole
from sesmail.config.listeners import Listener
from sesmail.config.locations import ENDPOINT_URL, NETWORK
from sesmail.config.option import option


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The SQS queue that tells of mail, so that nothing must reach this machine from outside."""

    url: str | None = option(optional(QUEUE_URL), None, "URL of the queue; null is none.")
    region: str | None = option(
        optional(REGION), None, "AWS region of the queues; null reads it from the URL, and else is storage.region."
    )
    endpoint: str | None = option(optional(ENDPOINT_URL), None, "URL of the SQS API, where it is not AWS's own for the region.")
    access_key_id: str | None = option(
        optional(KEY_ID), None, "Access key; without any of these six options the credentials are those of storage."
    )
    secret_access_key: str | None = option(optional(SECRET), None, "Secret of the access key.")
    session_token: str | None = option(optional(SECRET), None, "Session token, when the access key is a temporary one.")
    profile: str | None = option(optional(PROFILE), None, "Profile of the AWS config files to take credentials from.")
    assume_role: str | None = option(optional(ROLE), None, "ARN of a role to assume with the credentials found.")
    external_id: str | None = option(optional(SECRET), None, "External id to give when assuming the role.")
    dead_letter_url: str | None = option(
        optional(QUEUE_URL), None, "URL of the queue into which AWS puts notices that failed too often, for another try."
    )
    dead_letter_every: float = option(duration(60, 7 * 86400), "6h", "How often that queue is looked at, besides at the start.")
    visibility: float = option(
        duration(10, 43200),
        "120",
        "How long a notice stays hidden from other gateways; it is prolonged while work on it goes on.",
    )
    workers: int = option(whole(1, 256), "48", "How many notices of the queue are worked on at a time.")


@dataclass(frozen=True, kw_only=True)
class SnsListener(Listener):
    """One port or socket on which SNS is answered."""

    tls: str = option(
        choice("implicit", "none"), "implicit", "implicit: HTTPS; none: plain HTTP, behind a proxy on this machine."
    )


@dataclass(frozen=True, kw_only=True)
class Sns:
    """SNS over HTTPS, which tells of mail as soon as it is there."""

    listeners: tuple[SnsListener, ...] = option(
        ListOf(Entry(SnsListener, "listener")), (), "Where SNS connects; none unless given."
    )
    topics: tuple[str, ...] = option(ListOf(TOPIC), (), "ARNs of the topics that are listened to; all others are refused.")
    username: str | None = option(
        optional(matching("name", "a name without spaces and colons", r"[!-9;-~]{1,255}")),
        None,
        "User name that SNS must give, as in the URL of the subscription; null asks for none.",
    )
    password: str | None = option(optional(SECRET), None, "Password that SNS must give.")
    versions: tuple[str, ...] = option(
        ListOf(choice("1", "2")), ("1", "2"), "Versions of signatures that are taken; 1 is SHA-1, 2 is SHA-256."
    )
    confirm: str = option(
        choice("url", "api"),
        "url",
        "How a subscription is confirmed: url opens the URL that SNS sent, api asks SNS with the credentials of queue.",
    )


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What is done when SES tells that mail of ours came back or was complained of."""

    report: bool = option(SWITCH, "true", "Whether the sender gets a report into his mailbox.")
    suppress: bool = option(SWITCH, "false", "Whether the address goes onto the suppression list of SES.")


@dataclass(frozen=True, kw_only=True)
class LmtpListener(Listener):
    """One port or socket on which LMTP is spoken."""

    tls: str = option(
        choice("implicit", "starttls", "none"),
        "none",
        "implicit: TLS from the start; starttls: it is offered (STARTTLS); none: no TLS.",
    )


@dataclass(frozen=True, kw_only=True)
class Lmtp:
    """LMTP, by which a mail server such as Postfix delivers into the mailboxes here."""

    listeners: tuple[LmtpListener, ...] = option(
        ListOf(Entry(LmtpListener, "listener")), (), "Where the mail server connects; none unless given."
    )
    group: str | None = option(
        optional(matching("name", "the name of a group", r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")),
        None,
        "Group that the sockets of unix: listeners are given to.",
    )
    clients: tuple[str, ...] = option(
        ListOf(NETWORK), (), "Networks from which mail is taken on tcp: listeners; this machine always may."
    )
    max_size: int = option(size(64 << 10, 1 << 30), "64 MiB", "Largest message.")
    max_recipients: int = option(whole(100, 10_000), "1000", "Most recipients of one message.")
    command_timeout: float = option(duration(1, 86400), "5m", "Time without a command after which a session ends.")
    data_timeout: float = option(duration(1, 86400), "3m", "Time without a byte of a message after which a session ends.")
