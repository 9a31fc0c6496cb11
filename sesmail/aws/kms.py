"""KMS: data keys made and unwrapped, one request each.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html and API_GenerateDataKey.html
"""

from __future__ import annotations

import json
import random
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.session import Session

from sesmail.aws.counted import answered
from sesmail.aws.https import trust
from sesmail.aws.jsoncalls import Answer, JsonCalls, NoAnswer
from sesmail.aws.sessions import Address, Clients, is_region
from sesmail.aws.sigv4 import Scope, Signer
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys, StorePlace

KEY_OCTETS = 32
"""Octets of a data key."""
BLOB_OCTETS = 6144
"""Octets that a wrapped key has at most."""

_LONGEST_PAUSE = 2.0
_REGIONS = 64
_PASSING = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)


@dataclass(frozen=True)
class DataKey:
    """`wrapped` is what KMS makes `plain` of again."""

    plain: bytes = field(repr=False)
    wrapped: bytes


class Asking:
    """One thing asked of KMS, however it is sent: `body` and the headers `amz`, to be signed, to ``/``. To be asked again until `heard`
    gives something, after `pause` seconds each time."""

    def __init__(self, operation: str, said: Mapping[str, Any], attempts: int, chance: Callable[[], float]) -> None:
        self.body = json.dumps(said).encode("ascii")
        self.amz = (("x-amz-target", f"TrentService.{operation}"),)
        self.pause = 0.0
        self._operation = operation
        self._attempts = attempts
        self._attempt = 0
        self._chance = chance
        self._asked = time.monotonic()

    def heard(self, answer: Answer | NoAnswer) -> Mapping[str, Any] | None:
        """The document of a good answer; None when it is worth asking again. Raises Unavailable when it is not."""
        self._attempt += 1
        self._count(answer)
        if isinstance(answer, NoAnswer):
            cause, passing = f"KMS cannot be reached: {answer}", True
        elif answer.status == 200:
            return answer.document
        else:
            cause = f"KMS refuses {self._operation}: {answer.code or answer.status}: {answer.message[:300]}"
            passing = answer.status >= 500 or answer.status == 429 or answer.code in _PASSING
        if not passing or self._attempt >= self._attempts:
            raise Unavailable(cause=cause)
        self.pause = min(_LONGEST_PAUSE, 0.1 * 2**self._attempt) * self._chance()
        self._asked += self.pause
        return None

    def _count(self, said: Answer | NoAnswer) -> None:
        now, began = time.monotonic(), self._asked
        self._asked = now
        status, code = (None, "") if isinstance(said, NoAnswer) else (said.status, said.code)
        answered("kms", self._operation, now - began, status, code)


class Kms:
    """Plain blocking code, thread-safe. Asked as whoever reads the store.

    `region`: where the keys are, if that is not where the store is; `endpoint`: a URL that is not AWS's. A request that fails in passing
    is tried `attempts` times, with growing, random pauses. Timeouts are in seconds, of one connection and of one silence.
    """

    def __init__(
        self,
        clients: Clients,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        connect_timeout: float = 5,
        read_timeout: float = 30,
        attempts: int = 4,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clients = clients
        self._region = region
        self._endpoint = endpoint
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        self._attempts = attempts
        self._now = now
        self._pause = pause
        self._chance = chance
        self._ways: dict[str, tuple[JsonCalls, Signer]] = {}
        self._lock = threading.Lock()

    def decrypt(self, place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """The data key that was wrapped with this encryption context. Raises Unavailable, whatever KMS has against it: keys and rights
        can be put right, and mail must not be lost over them."""
        return plain_key(self._ask(place, self._region, self.decryption(wrapped, context)))

    def decryption(self, wrapped: bytes, context: Mapping[str, str]) -> Asking:
        """The same, for whoever sends it himself: to `address`, signed with `keys`. What is heard has a `plain_key`."""
        return self._asking("Decrypt", CiphertextBlob=_text(wrapped), EncryptionContext=dict(context))

    def address(self, place: StorePlace) -> Address:
        """Where `decrypt` asks. Raises Unavailable."""
        region = self._region or self._clients.region(place)
        parts = urlsplit(self._endpoint or _endpoint(region))
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        return Address(secure, parts.hostname or "", port, "", region, Session().get_config_variable("ca_bundle"))

    def keys(self, place: StorePlace) -> Keys:
        """See Clients.keys."""
        return self._clients.keys(place)

    def generate(self, place: StorePlace, key_id: str, context: Mapping[str, str]) -> DataKey:
        """A new data key, wrapped by this KMS key (an id, an ARN or an alias) with this encryption context. Raises Unavailable."""
        region = _region_of(key_id) or self._region
        said = {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": dict(context)}
        document = self._ask(place, region, self._asking("GenerateDataKey", **said))
        return DataKey(plain_key(document), _octets(document, "CiphertextBlob"))

    def _asking(self, operation: str, **said: Any) -> Asking:
        return Asking(operation, said, self._attempts, self._chance)

    def _ask(self, place: StorePlace, region: str | None, asking: Asking) -> Mapping[str, Any]:
        calls, signer = self._way(region or self._clients.region(place))
        while (document := asking.heard(self._answer(place, calls, signer, asking))) is None:
            self._pause(asking.pause)
        return document

    def _answer(self, place: StorePlace, calls: JsonCalls, signer: Signer, asking: Asking) -> Answer | NoAnswer:
        keys = self._clients.keys(place)
        try:
            signed = signer.sign("POST", calls.host, "/", "", keys, self._now(), asking.amz, body=asking.body)
            return calls.post(asking.body, signed)
        except NoAnswer as error:
            return error

    def _way(self, region: str) -> tuple[JsonCalls, Signer]:
        with self._lock:
            way = self._ways.get(region)
            if way is None:
                while len(self._ways) >= _REGIONS:
                    del self._ways[next(iter(self._ways))]
                calls = JsonCalls(self._endpoint or _endpoint(region), trust, **self._timeouts)
                way = self._ways[region] = calls, Signer(Scope(region, "kms"))
            return way


def _endpoint(region: str) -> str:
    if not is_region(region):
        raise Unavailable(cause=f"not a region: {region!r}")
    found = Session().get_component("endpoint_resolver").construct_endpoint("kms", region)
    return f"https://{found['hostname'] if found else f'kms.{region}.amazonaws.com'}"


def _region_of(key_id: str) -> str | None:
    parts = key_id.split(":")
    return parts[3] if len(parts) > 5 and parts[0] == "arn" else None


def _text(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")


def _octets(document: Mapping[str, Any], name: str) -> bytes:
    try:
        return b64decode(document[name], validate=True)
    except (KeyError, TypeError, ValueError):
        raise Unavailable(cause=f"an answer of KMS without a good {name}") from None


def plain_key(document: Mapping[str, Any]) -> bytes:
    """The data key in a document of KMS. Raises Unavailable."""
    key = _octets(document, "Plaintext")
    if len(key) != KEY_OCTETS:
        raise Unavailable(cause=f"KMS gives a key of {len(key)} octets")
    return key
