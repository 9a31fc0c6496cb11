"""What an error of SES means for the mail that met it: one table, so that no fault of ours or of AWS ever bounces somebody's mail.

Meanings: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html and the common errors of AWS
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSLError,
)

from sesmail.errors import MailError
from sesmail.mail.outcome import Outcome

# SES counts a day's mail by the last 24 hours, so that the quota frees itself bit by bit.
_QUOTA_WAIT = 900.0
_LONGEST_WAIT = 3600.0

_TEMPORARY = "temporary trouble with Amazon SES, try again later"
_OURS = "this server cannot send through Amazon SES at the moment, try again later"

_DAILY = re.compile(r"daily|24.?hour|message quota", re.IGNORECASE)
_NOT_VERIFIED = re.compile(r"not verified", re.IGNORECASE)
_TOO_LARGE = re.compile(r"message (?:length|size)|too (?:large|big|long:)|exceeds? .*size", re.IGNORECASE)
_ADDRESS = re.compile(r"@domain|address|mailbox|local.?part|domain (?:name |contains|ends|starts)", re.IGNORECASE)
_SENDER = re.compile(r"\bfrom\b|FromEmailAddress|sender|source|return.?path|FeedbackForwarding", re.IGNORECASE)
# What only our own configuration puts into a request.
_SETTING = re.compile(r"configuration ?set|\btag (?:name|value)|EmailTag|\bARN\b|IdentityArn|tenant|EndpointId", re.IGNORECASE)

_THROTTLES = frozenset(
    {"TooManyRequests", "Throttling", "ThrottledRequest", "RequestThrottled", "RequestLimitExceeded", "SlowDown"}
)
_PAUSES = frozenset({"SendingPaused", "AccountSendingPaused", "ConfigurationSetSendingPaused"})
_ABSENT = frozenset({"NotFound", "ConfigurationSetDoesNotExist", "ResourceNotFound"})
_WRONG = frozenset(
    {"BadRequest", "InvalidParameterValue", "InvalidParameter", "Validation", "ValidationError", "Serialization"}
)
CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignature",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClient",
    }
)
"""Codes of errors of whoever asks as nobody that AWS knows, without the word Exception at their end."""
_TRANSIENT = frozenset(
    {"ConcurrentModification", "InternalFailure", "InternalServer", "InternalServerError", "InternalServiceError"}
)


EXPECTED = (ClientError, BotoCoreError, MailError, OSError)
"""What a request to AWS may raise; anything else is a bug of ours."""


def outcome(error: Exception) -> Outcome:
    """What became of every recipient of a request that ended in this error. Never raises.

    Whether an attempt that broke off was carried out cannot be known: it is tried again, which may make a duplicate.
    """
    if isinstance(error, ClientError):
        return _answered(error.response)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, NoRegionError, MailError)):
        return _ours("credentials", f"{type(error).__name__}: {error}")
    if isinstance(error, SSLError):
        return _ours("TLS", str(error), "4.4.1")
    if isinstance(error, (ConnectionError, HTTPClientError, OSError)):
        return Outcome(451, "4.4.1", "Amazon SES cannot be reached at the moment, try again later")
    if isinstance(error, BotoCoreError):
        # No request was made, or no answer understood: a parameter that botocore refuses, a document that is not AWS's.
        return _ours(type(error).__name__, str(error))
    return _ours("unexpected", f"{type(error).__name__}: {error}")


def _answered(response: Mapping[str, Any]) -> Outcome:
    error, answer = response.get("Error") or {}, response.get("ResponseMetadata") or {}
    code, text = str(error.get("Code") or ""), str(error.get("Message") or "")
    status = int(answer.get("HTTPStatusCode") or 0)
    wait = _retry_after(answer.get("HTTPHeaders") or {})
    name = code.rpartition("#")[2].removesuffix("Exception")
    if known := _KNOWN.get(name):
        return known(code, text, wait)
    if name.startswith("AccessDenied") or name in CREDENTIALS or status in (401, 403):
        return _ours(code or str(status), text)
    if status == 413:
        return Outcome(552, "5.3.4", text or "message too large")
    if status == 429:
        return _throttled(code, text, wait)
    if name in _TRANSIENT or status >= 500:
        return Outcome(451, "4.3.0", _TEMPORARY, wait=wait)
    # An error that this table does not know must not cost anybody his mail.
    return _ours(code or str(status), text)


def _ours(kind: str, cause: str, status: str = "4.3.0") -> Outcome:
    return Outcome(451, status, _OURS, alarm=f"{kind}: {cause}"[:500])


def _throttled(code: str, text: str, wait: float | None) -> Outcome:
    if _DAILY.search(text):
        return _over_quota(code, text, wait)
    return Outcome(451, "4.7.1", "sending too fast for Amazon SES, try again later", wait=wait)


def _over_quota(code: str, text: str, wait: float | None) -> Outcome:
    return Outcome(
        452, "4.5.3", "the daily quota of Amazon SES is used up", wait=wait or _QUOTA_WAIT, alarm=f"{code}: {text}"[:500]
    )


def _suspended(code: str, text: str, wait: float | None) -> Outcome:
    return Outcome(550, "5.7.1", "the account at Amazon SES is suspended", alarm=f"{code}: {text}"[:500])


def _paused(code: str, text: str, wait: float | None) -> Outcome:
    return Outcome(451, "4.7.1", "sending is paused at Amazon SES", wait=wait, alarm=f"{code}: {text}"[:500])


def _misconfigured(code: str, text: str, wait: float | None) -> Outcome:
    return _ours(code, text, "4.3.5")


def _rejected(code: str, text: str, wait: float | None) -> Outcome:
    if _NOT_VERIFIED.search(text):
        return Outcome(550, "5.7.1", text, content=True)
    return Outcome(554, "5.6.0", text or "message rejected", content=True)


def _refused(code: str, text: str, wait: float | None) -> Outcome:
    if _SETTING.search(text):
        return _misconfigured(code, text, wait)
    if _TOO_LARGE.search(text):
        return Outcome(552, "5.3.4", text)
    if _NOT_VERIFIED.search(text):
        return _rejected(code, text, wait)
    if _ADDRESS.search(text):
        return Outcome(501, "5.1.7" if _SENDER.search(text) else "5.1.3", text, content=True)
    return Outcome(554, "5.6.0", text or "message refused", content=True)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    # RFC 9110 section 10.2.3; the form that is a date is not in use here.
    seconds = headers.get("retry-after", "")
    return min(float(seconds), _LONGEST_WAIT) if seconds.isascii() and seconds.isdigit() else None


_KNOWN: dict[str, Callable[[str, str, float | None], Outcome]] = {
    **dict.fromkeys(_THROTTLES, _throttled),
    "LimitExceeded": _over_quota,
    "AccountSuspended": _suspended,
    **dict.fromkeys(_PAUSES, _paused),
    "MailFromDomainNotVerified": _misconfigured,
    **dict.fromkeys(_ABSENT, _misconfigured),
    "MessageRejected": _rejected,
    **dict.fromkeys(_WRONG, _refused),
}
