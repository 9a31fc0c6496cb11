"""What SES knows of a domain that it sends for.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html,
https://docs.aws.amazon.com/general/latest/gr/ses.html (DKIM domains)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from sesmail.errors import Malformed, Unavailable

_ZONE = "amazonses.com"
# Regions that have their keys in a zone of their own.
_APART = frozenset(
    {
        "af-south-1",
        "ap-northeast-3",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-5",
        "ca-west-1",
        "eu-central-2",
        "eu-south-1",
        "il-central-1",
        "me-central-1",
        "us-gov-east-1",
    }
)


def keys_of(region: str) -> str:
    """The zone in which SES keeps its public keys, unless it says itself that it is another one."""
    return f"dkim.{region}.{_ZONE}" if region in _APART else f"dkim.{_ZONE}"


@dataclass(frozen=True)
class Dkim:
    """The tokens by which a domain's DNS points to the keys of SES, and the zone in which those are."""

    tokens: tuple[str, ...]
    zone: str


def dkim(client: Any, domain: str, region: str) -> Dkim:
    """Ask SES of this region, by a boto3 client for ``sesv2``; blocks. Raises Malformed for a domain that SES does not know or signs for with a key of yours,
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
    # Older versions of botocore leave it out of the answer.
    return Dkim(tokens, str(found.get("SigningHostedZone") or keys_of(region)))
