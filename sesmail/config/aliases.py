"""The options of addresses that lead to accounts. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.addresses import MAP
from sesmail.config.aws import KEY_ID, PROFILE, REGION, ROLE, TABLE
from sesmail.config.kinds import PATH_OR_EMPTY, SECRET, SWITCH, choice, duration, optional
from sesmail.config.locations import ENDPOINT_URL, USER
from sesmail.config.option import option


@dataclass(frozen=True, kw_only=True)
class Aliases:
    """Which addresses lead to which accounts."""

    map: str | None = option(
        optional(MAP), None, "Table in the form of Postfix: pcre:/PATH, regexp:/PATH, hash:/PATH or texthash:/PATH."
    )
    table: str = option(
        choice("none", "sqlite", "dynamodb"),
        "none",
        "Where the aliases that people make are kept; sqlite when storage.url is not set.",
    )
    file: str = option(PATH_OR_EMPTY, "", 'File of the table sqlite; "" is aliases.db in service.state_dir.')
    dynamodb_table: str | None = option(
        optional(TABLE),
        None,
        "Name of the table in DynamoDB; null is $POSTFIX_DYNAMODB_TABLE, which also sets table to dynamodb.",
    )
    region: str | None = option(optional(REGION), None, "AWS region of the table; null is storage.region.")
    endpoint: str | None = option(
        optional(ENDPOINT_URL), None, "URL of the DynamoDB API, where it is not AWS's own for the region."
    )
    access_key_id: str | None = option(
        optional(KEY_ID), None, "Access key; without any of these six options the credentials are those of storage."
    )
    secret_access_key: str | None = option(optional(SECRET), None, "Secret of the access key.")
    session_token: str | None = option(optional(SECRET), None, "Session token, when the access key is a temporary one.")
    profile: str | None = option(optional(PROFILE), None, "Profile of the AWS config files to take credentials from.")
    assume_role: str | None = option(optional(ROLE), None, "ARN of a role to assume with the credentials found.")
    external_id: str | None = option(optional(SECRET), None, "External id to give when assuming the role.")
    cache: float = option(
        duration(0, 3600), "5", "How long what DynamoDB said of an address is believed; the file of sqlite is always asked."
    )
    mailbox: str | None = option(
        optional(USER), None, "Account whose mailbox the destination S3 stands for; null is the owner of the alias."
    )
    require_domain: bool = option(
        SWITCH, "false", "Whether aliases in domains that the table does not have count as inactive; false delivers to them."
    )
