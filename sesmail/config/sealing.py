"""The options of sealed mail. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.aws import REGION
from sesmail.config.kinds import SWITCH, duration, optional, whole
from sesmail.config.locations import ENDPOINT_URL
from sesmail.config.option import option


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """How mail is opened that SES has encrypted with a KMS key."""

    region: str | None = option(optional(REGION), None, "AWS region of the keys; null is that of the store.")
    endpoint: str | None = option(optional(ENDPOINT_URL), None, "URL of the KMS API, where it is not AWS's own for the region.")
    key_cache: float = option(
        duration(0, 86400), "5m", "How long the key of a message that was opened is kept in memory; 0 keeps none."
    )
    workers: int = option(whole(1, 1000), "64", "How many messages are opened at a time.")
    cbc: bool = option(
        SWITCH, "false", "Whether messages are opened that older programs encrypted with AES/CBC, where a change goes unseen."
    )
