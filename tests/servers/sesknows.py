"""What the tests' own SES knows and does, apart from speaking HTTP.

What it checks, it checks as SES does: 50 recipients, 40 MB, no null sender, no line over 1,000 characters, no field twice that may be
there once, and, once it was told which identities are verified, From, Sender, Return-Path and where bounces go.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses, parseaddr
from typing import Any, Literal

LONGEST_LINE = 1000
LARGEST = 40 * 1024 * 1024
MOST_RECIPIENTS = 50

_ONCE = ("from", "sender", "reply-to", "return-path", "dkim-signature", "subject", "date", "message-id", "to", "cc")
_LOCAL_AND_DOMAIN = re.compile(r'(?:"[ -~]+"|[!-?A-~]+)@[!-?A-~]+\.[!-?A-~]+\Z')
_FROM = re.compile(rb"^From:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Sent:
    """One message that was taken. `sender` is where SES would report a bounce; `recipients` are those of the request, in its order."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    destination: dict[str, list[str]]
    configuration_set: str | None
    tags: dict[str, str]
    arn: str | None
    at: float


@dataclass(frozen=True)
class Request:
    """One request as it came, answered or not; `at` is the monotonic time."""

    operation: str
    recipients: tuple[str, ...]
    at: float


@dataclass
class Fault:
    """What happens to requests in place of, or before, their proper answer.

    `code` is the error to answer, with this HTTP status and message; without one the request is handled after `delay` seconds.
    `reset`: the connection is reset before the request is read, once it was read, or when the message was recorded but before the
    answer. `body` is sent as it is instead of an error document. It strikes `times` requests (None: any number), for `seconds` at
    most, of that operation, and only those that name `recipient`, where one is given.
    """

    code: str = ""
    status: int = 400
    message: str = "planted"
    delay: float = 0
    reset: Literal["", "unread", "read", "recorded"] = ""
    body: str | None = None
    times: int | None = 1
    seconds: float | None = None
    operation: str = "SendEmail"
    recipient: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    until: float | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and self.until is None:
            self.until = time.monotonic() + self.seconds

    def strikes(self, operation: str, recipients: Sequence[str]) -> bool:
        """Whether it is for this request; once it says so, it counts as used."""
        if operation != self.operation or self.over() or (self.recipient and self.recipient not in recipients):
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def over(self) -> bool:
        """Whether it will never strike again."""
        return self.times == 0 or (self.until is not None and time.monotonic() >= self.until)


class Refusal(Exception):
    """An error that SES itself finds in a request."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Ses:
    """What the service knows; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._sent: list[Sent] = []
        self._bounces: list[dict[str, str]] = []
        self._requests: list[Request] = []
        self._faults: list[Fault] = []
        self._verified: frozenset[str] | None = None
        self._suppressed: dict[str, str] = {}
        self._things: dict[tuple[str, str], dict[str, Any]] = {}
        self._account: dict[str, Any] = {
            "ProductionAccessEnabled": True,
            "SendingEnabled": True,
            "EnforcementStatus": "HEALTHY",
            "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 1000.0, "SentLast24Hours": 0.0},
        }

    @property
    def sent(self) -> list[Sent]:
        """All messages taken so far, in order."""
        with self._lock:
            return list(self._sent)

    @property
    def bounces(self) -> list[dict[str, str]]:
        """The parameters of every SendBounce."""
        with self._lock:
            return list(self._bounces)

    def requests(self, operation: str = "SendEmail") -> list[Request]:
        """All requests for this operation that were read, whatever became of them."""
        with self._lock:
            return [request for request in self._requests if request.operation == operation]

    def wait_for(self, count: int, *, seconds: float = 30) -> list[Sent]:
        """All messages, as soon as there are `count`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._sent) >= count, seconds):
                raise TimeoutError(f"{len(self._sent)} messages of {count} after {seconds:g} s")
            return list(self._sent)

    def plant(self, *faults: Fault) -> None:
        """They strike in the order in which they were planted, one for a request."""
        with self._lock:
            self._faults += faults

    def throttle(self, seconds: float, message: str = "Maximum sending rate exceeded.") -> None:
        """Answer every SendEmail with this for so long."""
        self.plant(Fault("TooManyRequestsException", 429, message, times=None, seconds=seconds))

    def heal(self) -> None:
        """Take every fault away."""
        with self._lock:
            self._faults.clear()

    def clear(self) -> None:
        """Forget everything that was sent and asked, and every fault."""
        with self._lock:
            for known in (self._sent, self._bounces, self._requests, self._faults, self._suppressed):
                known.clear()
            self._verified = None

    def verify_only(self, *identities: str) -> None:
        """From now on these addresses and domains are all that mail may be from."""
        with self._lock:
            self._verified = frozenset(identity.lower() for identity in identities)

    @property
    def suppressed(self) -> dict[str, str]:
        """The addresses on the suppression list, each with its reason."""
        with self._lock:
            return dict(self._suppressed)

    def put_suppressed_destination(self, asked: Mapping[str, Any]) -> None:
        """Put an address on the list. Raises Refusal."""
        address, reason = str(asked.get("EmailAddress") or ""), str(asked.get("Reason") or "")
        if not _LOCAL_AND_DOMAIN.match(address) or reason not in ("BOUNCE", "COMPLAINT"):
            raise Refusal("BadRequestException", f"Invalid address or reason: {address!r}, {reason!r}.")
        with self._lock:
            self._suppressed[address] = reason

    def set_account(self, **changes: Any) -> None:
        """Change what GetAccount answers; the three numbers of SendQuota go by their own names."""
        with self._lock:
            quota = self._account["SendQuota"]
            for name, value in changes.items():
                (quota if name in quota else self._account)[name] = value

    def know(self, operation: str, name: str = "", **said: Any) -> None:
        """What to answer to GetEmailIdentity and GetConfigurationSet of this name, or to DescribeActiveReceiptRuleSet. Of others there is
        none, and no rule set is active."""
        with self._lock:
            self._things[operation, name] = said

    def told(self, operation: str, name: str) -> dict[str, Any]:
        """What `know` was told. Raises Refusal for what has a name and is not there."""
        with self._lock:
            if name and (operation, name) not in self._things:
                raise Refusal("NotFoundException", f"{name} does not exist.", 404)
            return dict(self._things.get((operation, name), {}))

    def struck(self, operation: str, recipients: Sequence[str]) -> Fault | None:
        """Note a request; the fault that it meets, if any."""
        with self._lock:
            self._requests.append(Request(operation, tuple(recipients), time.monotonic()))
            self._faults = [fault for fault in self._faults if not fault.over()]
            waiting = (fault for fault in self._faults if fault.reset != "unread")
            return next((fault for fault in waiting if fault.strikes(operation, recipients)), None)

    def breaks_unread(self, operation: str) -> bool:
        """Whether this request is to be reset before its body is read."""
        with self._lock:
            return any(fault.strikes(operation, ()) for fault in self._faults if fault.reset == "unread")

    def account(self) -> dict[str, Any]:
        """The answer to GetAccount."""
        with self._lock:
            return json.loads(json.dumps(self._account))  # type: ignore[no-any-return]

    def send_email(self, asked: Mapping[str, Any]) -> str:
        """Take a message and return its id. Raises Refusal."""
        encoded = asked.get("Content", {}).get("Raw", {}).get("Data", "")
        if len(encoded) > LARGEST:
            raise Refusal("BadRequestException", f"Message length is more than {LARGEST} bytes long: '{len(encoded)}'.")
        data = base64.b64decode(encoded)
        message = Sent(
            id=f"0100{secrets.token_hex(8)}-{secrets.token_hex(4)}-000000",
            sender=_sender(asked, data),
            recipients=tuple(recipients(asked)),
            data=_with_from(data, asked.get("FromEmailAddress")),
            destination=dict(asked.get("Destination", {})),
            configuration_set=asked.get("ConfigurationSetName"),
            tags={tag["Name"]: tag["Value"] for tag in asked.get("EmailTags", ())},
            arn=asked.get("FromEmailAddressIdentityArn"),
            at=time.monotonic(),
        )
        _check(message)
        self._check_verified(message.sender, *_named(message.data))
        with self._changed:
            self._sent.append(message)
            self._changed.notify_all()
        return message.id

    def send_bounce(self, asked: Mapping[str, str]) -> str:
        """Take a bounce and return its id. Raises Refusal."""
        if not asked.get("OriginalMessageId") or not asked.get("BounceSender"):
            raise Refusal("ValidationError", "OriginalMessageId and BounceSender are required")
        self._check_verified(asked["BounceSender"])
        with self._lock:
            self._bounces.append(dict(asked))
        return f"bounce-{secrets.token_hex(8)}"

    def _check_verified(self, *addresses: str) -> None:
        with self._lock:
            verified = self._verified
        wrong = [
            one for one in addresses if verified is not None and not {one.lower(), one.lower().rpartition("@")[2]} & verified
        ]
        if wrong:
            failed = ", ".join(wrong)
            raise Refusal(
                "MessageRejected",
                f"Email address is not verified. The following identities failed the check in region EU-WEST-1: {failed}",
            )


def recipients(asked: Mapping[str, Any]) -> list[str]:
    """Everybody in the request's Destination."""
    destination = asked.get("Destination", {})
    return [address for name in ("ToAddresses", "CcAddresses", "BccAddresses") for address in destination.get(name, ())]


def _check(message: Sent) -> None:
    if not message.recipients:
        # SES would go by the header here, which nobody who has an envelope wants.
        raise Refusal("BadRequestException", "No recipients in Destination")
    if len(message.recipients) > MOST_RECIPIENTS:
        raise Refusal("BadRequestException", "Recipient count exceeds 50.")
    for address in (message.sender, *message.recipients):
        if not address.isascii() or not _LOCAL_AND_DOMAIN.match(address):
            raise Refusal("BadRequestException", f"Missing final '@domain' or illegal address: {address!r}")
    if b"\n" in message.data and max(map(len, message.data.split(b"\n"))) > LONGEST_LINE:
        raise Refusal("BadRequestException", "Maximum line length exceeded")
    names = [name.lower() for name in _header(message.data)]
    for name in _ONCE:
        if names.count(name) > 1:
            raise Refusal("BadRequestException", f"Duplicate header '{name.title()}'.")


def _header(data: bytes) -> Message:
    return BytesHeaderParser().parsebytes(data.partition(b"\r\n\r\n")[0])


def _named(data: bytes) -> list[str]:
    """Everybody in whose name a message is."""
    header = _header(data)
    fields = [str(value) for name in ("From", "Sender", "Return-Path") for value in header.get_all(name, [])]
    return [address for _, address in getaddresses(fields) if address]


def _sender(asked: Mapping[str, Any], data: bytes) -> str:
    address = asked.get("FeedbackForwardingEmailAddress") or asked.get("FromEmailAddress")
    if address:
        return str(address)
    found = _FROM.search(data)
    return parseaddr(found[0].decode("ascii", "replace").partition(":")[2])[1] if found else ""


def _with_from(data: bytes, address: str | None) -> bytes:
    # SESv2 writes this parameter over the header's From, display name and all (laravel/framework#37881, aws/aws-sdk-rails#97).
    return data if address is None else _FROM.sub(f"From: {address}\r\n".encode(), data, count=1)
