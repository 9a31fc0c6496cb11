"""Messages of SNS over HTTPS: read, and proved to come from a topic that may speak here.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from sesmail.aws.document import LONGEST_DOCUMENT, Part, load
from sesmail.aws.snscertificates import Certificates
from sesmail.errors import Malformed, Refused

VERSIONS = frozenset({"1", "2"})
WINDOW = 3900.0
"""Seconds for which a message is good: SNS tries for an hour, and clocks differ."""
AHEAD = 300.0

# No line end can be in any of these: moved from one field into the next, the same signature would fit another message.
_TOPIC = re.compile(
    r"arn:(?P<partition>aws[a-z-]{0,20}):sns:(?P<region>[a-z0-9-]{3,32}):\d{12}:[A-Za-z0-9._-]{1,256}", re.ASCII
)
_WORD = re.compile(r"[!-~]{1,1024}")
_SUBJECT = re.compile(r"[^\r\n]{0,1024}")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,128}\.pem", re.ASCII)
_QUERY = re.compile(r"/\?[!-~]{1,2048}")
_LONGEST_SIGNATURE = 2048

# SHA-1 is what version 1 is; topics have it unless they are told otherwise.
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}


class Type(enum.Enum):
    """What SNS sends."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"
    UNSUBSCRIPTION = "UnsubscribeConfirmation"


_SIGNED = {
    Type.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    Type.SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    Type.UNSUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


@dataclass(frozen=True)
class Message:
    """One message, as it claims to be until `Signatures.check` has returned.

    `text` is what was published; `at` when, in seconds since 1970. `token` and `subscribe_url` are those of a confirmation, else ``""``.
    Nothing that SNS does not sign is here but what the signature needs.
    """

    type: Type
    id: str
    topic: str
    text: str = field(repr=False)
    at: float
    token: str = field(repr=False)
    subscribe_url: str = field(repr=False)
    version: str
    signature: bytes = field(repr=False)
    certificate_url: str
    signed: bytes = field(repr=False)


def read(body: bytes, announced: str | None = None) -> Message:
    """Read the body of a request. `announced` is its header ``x-amz-sns-message-type``, which must say the same.

    Raises Malformed; TooLarge above 1 MiB.
    """
    said = load(body)
    type = _type(said.member("Type").text(), announced)
    confirms = type is not Type.NOTIFICATION
    return Message(
        type,
        _word(said.member("MessageId")),
        _topic(said.member("TopicArn")),
        said.member("Message").text(LONGEST_DOCUMENT),
        said.member("Timestamp").time(),
        _word(said.member("Token")) if confirms else "",
        _word(said.member("SubscribeURL")) if confirms else "",
        _word(said.member("SignatureVersion")),
        _signature(said.member("Signature")),
        _word(said.member("SigningCertURL")),
        _string_to_sign(said, type),
    )


class Signatures:
    """Knows which topics may speak here, and whether it was they.

    `topics` are ARNs; of others nothing is taken, nor anything if there are none. `versions`: of signatures, some of VERSIONS. A message is good for
    `window` seconds; one that comes again within them has the same id.
    """

    def __init__(
        self,
        topics: Collection[str],
        certificates: Certificates,
        *,
        versions: Collection[str] = VERSIONS,
        window: float = WINDOW,
    ) -> None:
        self._topics = frozenset(topics)
        self._certificates = certificates
        self._versions = frozenset(versions) & VERSIONS
        self._window = window

    def check(self, message: Message, now: float) -> None:
        """Returns when the message is from one of the topics, signed by SNS and not too old. Blocks to fetch a certificate that it
        has not.

        Raises Refused with the reason; Unavailable when the certificate cannot be fetched.
        """
        self.check_claims(message, now)
        key = self._certificates.key(message.certificate_url, now)
        try:
            key.verify(message.signature, message.signed, padding.PKCS1v15(), _HASHES[message.version]())
        except InvalidSignature:
            raise Refused("the signature is wrong") from None

    def check_claims(self, message: Message, now: float) -> None:
        """As `check`, for all that shows without the certificate: it proves nothing, but never blocks."""
        if message.topic not in self._topics:
            raise Refused("this SNS topic may not send here")
        if message.version not in self._versions:
            raise Refused("signatures of this version are not taken here")
        if not -AHEAD <= now - message.at <= self._window:
            raise Refused("the message is too old, or from the future")
        if not _CERTIFICATE.fullmatch(_path(message.certificate_url, message.topic)):
            raise Refused("the certificate of the signature is not at the SNS of the topic's region")

    def has_certificate(self, message: Message, now: float) -> bool:
        """True when `check` would not have to fetch one. Never blocks."""
        return self._certificates.has(message.certificate_url, now)

    def fetch_certificate(self, message: Message, now: float) -> None:
        """Have the certificate for `check`; the message's claims must have been checked. Blocks; raises as `check` does."""
        self._certificates.key(message.certificate_url, now)


def confirmation_url(message: Message) -> str:
    """The URL that confirms a subscription, safe to be fetched if redirects are not followed: it leads to the SNS of the topic's own
    region and does nothing but confirm this very subscription. Raises Refused for any other."""
    query = _path(message.subscribe_url, message.topic)
    wanted = [("Action", "ConfirmSubscription"), ("Token", message.token), ("TopicArn", message.topic)]
    if message.type is not Type.SUBSCRIPTION or not _QUERY.fullmatch(query) or _pairs(query) != wanted:
        raise Refused("the SubscribeURL does not confirm a subscription at the SNS of the topic's region")
    return message.subscribe_url


def is_topic(arn: str) -> bool:
    """True for what can be the ARN of a topic."""
    return _TOPIC.fullmatch(arn) is not None


def _type(word: str, announced: str | None) -> Type:
    found = next((type for type in Type if type.value == word), None)
    if found is None:
        raise Malformed("not a message of SNS: its Type is not known here")
    if announced is not None and announced != word:
        raise Malformed("the message's Type is not what its header x-amz-sns-message-type says")
    return found


def _word(part: Part) -> str:
    text = part.text()
    if not _WORD.fullmatch(text):
        part.wrong("one word of ASCII")
    return text


def _topic(part: Part) -> str:
    text = part.text()
    if not is_topic(text):
        part.wrong("the ARN of a topic")
    return text


def _signature(part: Part) -> bytes:
    try:
        return base64.b64decode(part.text(_LONGEST_SIGNATURE), validate=True)
    except (binascii.Error, ValueError):
        part.wrong("Base64")


def _string_to_sign(said: Part, type: Type) -> bytes:
    # Subject is null or missing where there is none. What SNS signed is the text, whatever escapes the JSON has.
    names = [name for name in _SIGNED[type] if name != "Subject" or said.has(name)]
    values = {name: said.member(name).text(LONGEST_DOCUMENT) for name in names}
    if not _SUBJECT.fullmatch(values.get("Subject", "")):
        raise Malformed("Subject must be one line")
    return "".join(f"{name}\n{values[name]}\n" for name in names).encode("utf-8")


def _path(url: str, topic: str) -> str:
    """What follows the host in a URL of the SNS in the topic's region, ``""`` for any other URL.

    Compared as text: programs differ in what they take for the host of a URL, but not in this one.
    """
    arn = _TOPIC.fullmatch(topic)
    if arn is None:
        return ""
    suffix = ".cn" if arn["partition"] == "aws-cn" else ""
    begin = f"https://sns.{arn['region']}.amazonaws.com{suffix}/"
    return url[len(begin) - 1 :] if url.startswith(begin) else ""


def _pairs(query: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(query.removeprefix("/?"), keep_blank_values=True))
