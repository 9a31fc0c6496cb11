"""The password that the SMTP endpoint of SES takes for an IAM user's access key; the user name is the access key id.

https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html
"""

from __future__ import annotations

import base64
import hmac
import re

from sesmail.errors import Malformed
from sesmail.interfaces import Keys

_VERSION = b"\x04"
_REGION = re.compile(r"[a-z0-9-]{1,40}\Z")

TEMPORARY = (
    "these are temporary credentials of a role or session, for which SES has no SMTP password; "
    "use the access key of an IAM user, or send through the SES API (relay.courier: ses)"
)


def smtp_password(secret_access_key: str, region: str) -> str:
    """44 characters, good in that region alone. Raises Malformed for what is no region or an empty secret."""
    if not _REGION.match(region):
        raise Malformed(f"not a region: {region!r}")
    if not secret_access_key:
        raise Malformed("the secret access key is empty")
    key = b"AWS4" + secret_access_key.encode()
    # A constant in the place of the date: the password shall not change from day to day.
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        key = hmac.digest(key, part.encode(), "sha256")
    return base64.b64encode(_VERSION + key).decode()


def of_keys(keys: Keys, region: str) -> str:
    """The same for a set of credentials. Raises Malformed for temporary ones, from which SES derives nothing."""
    if keys.session_token or keys.access_key_id.startswith("ASIA"):
        raise Malformed(TEMPORARY)
    return smtp_password(keys.secret_access_key, region)
