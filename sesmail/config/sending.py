"""The options of mail that goes out: who may send what, and who carries it on. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.addresses import ADDRESS_OR_DOMAIN, PATTERN
from sesmail.config.aws import CONFIGURATION_SET, IDENTITY, KEY_ID, PROFILE, REGION, ROLE, TAG
from sesmail.config.kinds import (
    DOMAIN,
    DOMAIN_OR_EMPTY,
    PATH,
    PATH_OR_EMPTY,
    SECRET,
    SWITCH,
    Entry,
    ListOf,
    choice,
    duration,
    matching,
    number,
    optional,
    size,
    whole,
)
from sesmail.config.listeners import Listener
from sesmail.config.locations import ENDPOINT_URL, USER
from sesmail.config.option import option, required


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Addresses that one account may send as, besides its own."""

    account: str = required(USER, "The account, as it logs in.")
    addresses: tuple[str, ...] = required(
        ListOf(ADDRESS_OR_DOMAIN), "Addresses; @example.com stands for every address of that domain."
    )


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Sending mail: SMTP for mail programs."""

    listeners: tuple[Listener, ...] = option(
        ListOf(Entry(Listener, "listener")),
        (),
        "Where mail programs send; none unless given. When storage.url is not set: ports 2587 and 2465 of 127.0.0.1.",
    )
    hostname: str = option(
        DOMAIN_OR_EMPTY, "", 'Name that the server gives itself, in Received and Message-ID too; "" is that of the machine.'
    )
    max_size: int = option(
        size(64 << 10, 40_000_000), "30000000", "Largest message; SES takes 40 MB, in base64 about 30 of attachments."
    )
    max_recipients: int = option(whole(1, 10_000), "500", "Most recipients of one message.")
    check_header: bool = option(
        SWITCH, "true", "Whether From and Sender in the header must be the account's too, not only the envelope's sender."
    )
    grants: tuple[Grant, ...] = option(
        ListOf(Entry(Grant, "grant")), (), "Who may send as other addresses than his own and those that aliases lead to him."
    )
    hide_client: bool = option(SWITCH, "false", "Whether the Received field leaves out the client's address and name.")
    allow_ses_headers: bool = option(SWITCH, "false", "Whether users may set Return-Path and the X-SES- fields that steer SES.")
    bare_newlines: str = option(
        choice("refuse", "repair"), "refuse", "What is done about a line feed or carriage return that stands alone."
    )
    check_domains: bool = option(
        SWITCH,
        "true",
        "Whether a recipient's domain must be in DNS, with a mail exchanger or an address; false when storage.url is not set.",
    )
    allow_recipients: tuple[str, ...] = option(
        ListOf(PATTERN), (), "When given, the only addresses and domains that mail may be sent to."
    )
    deny_recipients: tuple[str, ...] = option(ListOf(PATTERN), (), "Addresses and domains that no mail may be sent to.")
    account_rate: int | None = option(
        optional(whole(1, 10_000_000)), None, "Most recipients in an hour for one account; null is no limit."
    )
    hold: float = option(
        duration(0, 300), "20", "How long a client is kept waiting for the next server's own verdict before it hears 250."
    )
    login_timeout: float = option(duration(1, 3600), "60", "Time from connecting to a finished login.")
    command_timeout: float = option(duration(1, 86400), "5m", "Time without a command after which a session ends.")
    data_timeout: float = option(duration(1, 86400), "3m", "Time without a byte of a message after which a session ends.")
    strikes: int = option(whole(1, 100), "3", "Refused logins after which the connection is closed.")
    strike_delay: float = option(
        duration(0, 60), "1", "Shortest time that a refused login takes; it doubles with each further one."
    )


@dataclass(frozen=True, kw_only=True)
class Relay:
    """How mail leaves."""

    courier: str = option(
        choice("ses", "smtp", "outbox"),
        "ses",
        "ses: the SES API; smtp: the server of section smarthost; outbox: a folder, also when storage.url is not set.",
    )
    local_domains: tuple[str, ...] = option(
        ListOf(DOMAIN),
        (),
        "Domains whose mail goes straight into the mailboxes here; when storage.url is not set, those of mailboxes.domains.",
    )
    spool: str = option(
        PATH_OR_EMPTY, "", 'Folder of accepted mail that has not left yet; "" is the folder spool in service.state_dir.'
    )
    outbox: str = option(PATH_OR_EMPTY, "", 'Folder of the courier outbox; "" is the folder outbox in service.state_dir.')
    lifetime: float = option(duration(60, 30 * 86400), "2d", "How long delivery is tried before mail returns to its sender.")
    retry_first: float = option(
        duration(1, 86400), "1m", "Time from the first failed attempt to the next; it doubles each time."
    )
    retry_longest: float = option(duration(1, 86400), "1h", "Longest time between two attempts.")
    workers: int = option(whole(1, 256), "16", "How many messages are on their way at a time.")
    rate: float | None = option(
        optional(number(0.01, 100_000)),
        None,
        "Most recipients in a second; null asks SES what it allows, and is no limit for other couriers.",
    )


@dataclass(frozen=True, kw_only=True)
class Ses:
    """The courier ses: the API of Amazon SES, version 2."""

    region: str | None = option(optional(REGION), None, "AWS region of SES; null is storage.region.")
    endpoint: str | None = option(optional(ENDPOINT_URL), None, "URL of the SES API, where it is not AWS's own for the region.")
    access_key_id: str | None = option(
        optional(KEY_ID), None, "Access key; without any of these six options the credentials are those of storage."
    )
    secret_access_key: str | None = option(optional(SECRET), None, "Secret of the access key.")
    session_token: str | None = option(optional(SECRET), None, "Session token, when the access key is a temporary one.")
    profile: str | None = option(optional(PROFILE), None, "Profile of the AWS config files to take credentials from.")
    assume_role: str | None = option(optional(ROLE), None, "ARN of a role to assume with the credentials found.")
    external_id: str | None = option(optional(SECRET), None, "External id to give when assuming the role.")
    configuration_set: str | None = option(optional(CONFIGURATION_SET), None, "Configuration set of every message.")
    tags: tuple[str, ...] = option(ListOf(TAG), (), "Tags of every message, name=value.")
    source_arn: str | None = option(optional(IDENTITY), None, "Identity of another AWS account that lets this one send for it.")
    connect_timeout: float = option(duration(0.1, 3600), "5", "Longest wait for a connection to SES.")
    read_timeout: float = option(duration(0.1, 3600), "60", "Longest wait for SES to answer.")


@dataclass(frozen=True, kw_only=True)
class Smarthost:
    """The courier smtp: a server that takes mail for everybody, such as the SMTP endpoint of SES."""

    host: str = option(DOMAIN_OR_EMPTY, "", "Name of the server, such as email-smtp.eu-west-1.amazonaws.com.")
    port: int = option(whole(1, 65535), "587", "Its port.")
    tls: str = option(
        choice("implicit", "starttls", "none"),
        "starttls",
        "implicit: TLS from the start; starttls: STARTTLS or no mail; none: no TLS.",
    )
    username: str | None = option(
        optional(matching("name", "a name without spaces", r"[!-~]{1,255}")),
        None,
        "User name at the server, for SES an access key id; null sends without a login.",
    )
    password: str | None = option(optional(SECRET), None, "Password at the server.")
    secret_access_key: str | None = option(
        optional(SECRET), None, "Instead of a password the secret of the access key, from which that of SES is derived."
    )
    region: str | None = option(
        optional(REGION), None, "Region to derive the password for; null reads it from the name of the server."
    )
    ca_file: str | None = option(
        optional(PATH), None, "Certificates that vouch for the server; null takes those of the machine."
    )
    timeout: float = option(duration(1, 3600), "60", "Longest wait for any answer of the server.")
