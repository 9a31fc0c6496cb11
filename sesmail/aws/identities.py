"""What SES knows of a domain that it sends for.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from sesmail.errors import Malformed, Unavailable

ZONE = "dkim.amazonses.com"
"""Under which most regions have their keys."""


@dataclass(frozen=True)
class Dkim:
    """The tokens by which a domain's DNS points to the keys of SES, and the zone in which those are."""

    tokens: tuple[str, ...]
    zone: str = ZONE


def dkim(client: Any, domain: str) -> Dkim:
    """Ask SES, by a boto3 client for ``sesv2``; blocks. Raises Malformed for a domain that SES does not know or signs for with a key of yours,
    Unavailable when it cannot be asked."""
    try:
        found = client.get_email_identity(EmailIdentity=domain)["DkimAttributes"]
        tokens = tuple(str(token) for token in found.get("Tokens") or ())
    except Exception as error:
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") == "NotFoundException":
            raise Malformed(f"SES does not know {domain} in this region") from None
        raise Unavailable(f"SES cannot be asked about {domain}: {type(error).__name__}", cause=error) from error
    if len(tokens) != 3:
        raise Malformed(f"SES has no DKIM tokens for {domain}")
    return Dkim(tokens, str(found.get("SigningHostedZone") or ZONE))
