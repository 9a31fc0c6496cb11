"""SNS as far as its signatures go: a topic's messages, signed with a key of the tests' own as AWS's documentation says.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
"""

from __future__ import annotations

import base64
import functools
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from sesmail.errors import Unavailable

REGION = "eu-west-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:new-mail"
HOST = f"https://sns.{REGION}.amazonaws.com"
TOKEN = "2336412f37fb687f5d51e6e241d59b68c9e583a5841b88ee"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


@functools.cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same number, for making one takes a while."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ca_key() -> ec.EllipticCurvePrivateKey:
    """The key of the authority that signs the certificates."""
    return ec.generate_private_key(ec.SECP256R1())


class Signer:
    """Signs for one topic. `pem` is its certificate, found at `certificate_url` by `fetch`, which counts in `fetched`.

    The certificate is for `name` alone, from `begins` days before NOW until `ends` days after it.
    """

    def __init__(
        self,
        topic: str = TOPIC,
        *,
        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
        name: str = "sns.amazonaws.com",
        alternative: str | None = None,
        begins: float = -1,
        ends: float = 30,
        host: str = HOST,
    ) -> None:
        self.topic = topic
        self.fetched: list[str] = []
        self._host = host
        self._key = key or rsa_key()
        self.pem = _certificate(self._key, name, alternative or name, begins, ends)
        self.certificate_url = f"{host}/SimpleNotificationService-{uuid.uuid4().hex}.pem"

    def fetch(self, url: str) -> bytes:
        """The certificate, and nothing at any other URL."""
        self.fetched.append(url)
        if url != self.certificate_url:
            raise Unavailable(cause=url)
        return self.pem

    def notification(
        self, message: str, *, at: float = NOW, subject: str | None = None, version: str = "2"
    ) -> dict[str, object]:
        """A message that was published to the topic."""
        fields = self._begun("Notification", message, at)
        if subject is not None:
            fields["Subject"] = subject
        order = ["Message", "MessageId", *(["Subject"] if subject is not None else []), "Timestamp", "TopicArn", "Type"]
        unsubscribe = f"{self._host}/?Action=Unsubscribe&SubscriptionArn={self.topic}:c9135db0-26c4-47ec-8998-413945fb5a96"
        return self._signed(fields, order, version) | {"UnsubscribeURL": unsubscribe}

    def confirmation(
        self,
        type: str = "SubscriptionConfirmation",
        *,
        at: float = NOW,
        version: str = "2",
        token: str = TOKEN,
        subscribe_url: str | None = None,
    ) -> dict[str, object]:
        """What SNS sends when an endpoint is subscribed, or unsubscribed with the type ``UnsubscribeConfirmation``."""
        fields = self._begun(type, f"You have chosen something about the topic {self.topic}.", at)
        usual = f"{self._host}/?Action=ConfirmSubscription&TopicArn={self.topic}&Token={quote(token)}"
        fields |= {"Token": token, "SubscribeURL": usual if subscribe_url is None else subscribe_url}
        return self._signed(fields, ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"], version)

    def _begun(self, type: str, message: str, at: float) -> dict[str, str]:
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return {"Type": type, "MessageId": str(uuid.uuid4()), "TopicArn": self.topic, "Message": message, "Timestamp": when}

    def _signed(self, fields: Mapping[str, str], order: list[str], version: str) -> dict[str, object]:
        text = "".join(f"{name}\n{fields[name]}\n" for name in order).encode()
        signature = self._signature(text, hashes.SHA1() if version == "1" else hashes.SHA256())
        return {
            **fields,
            "SignatureVersion": version,
            "Signature": base64.b64encode(signature).decode(),
            "SigningCertURL": self.certificate_url,
        }

    def _signature(self, text: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(text, ec.ECDSA(algorithm))
        return self._key.sign(text, padding.PKCS1v15(), algorithm)


def body(message: Mapping[str, object]) -> bytes:
    """The message as the body of SNS's request."""
    return json.dumps(message, indent=2, ensure_ascii=False).encode()


def headers(message: Mapping[str, object]) -> dict[str, str]:
    """The headers that SNS sends with it."""
    return {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": str(message["Type"]),
        "x-amz-sns-message-id": str(message["MessageId"]),
        "x-amz-sns-topic-arn": str(message["TopicArn"]),
        "User-Agent": "Amazon Simple Notification Service Agent",
    }


def _certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, name: str, alternative: str, begins: float, ends: float
) -> bytes:
    now = datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sesmail tests")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(alternative)]), critical=False)
    )
    return builder.sign(ca_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
