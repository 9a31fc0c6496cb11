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

from botocore.session import Session

from sesmail.aws.https import trust
from sesmail.aws.jsoncalls import Answer, JsonCalls, NoAnswer
from sesmail.aws.sessions import Clients, is_region
from sesmail.aws.sigv4 import Scope, Signer
from sesmail.errors import Unavailable
from sesmail.interfaces import StorePlace

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
        answer = self._ask(place, "Decrypt", self._region, CiphertextBlob=_text(wrapped), EncryptionContext=dict(context))
        return _key(answer)

    def generate(self, place: StorePlace, key_id: str, context: Mapping[str, str]) -> DataKey:
        """A new data key, wrapped by this KMS key (an id, an ARN or an alias) with this encryption context. Raises Unavailable."""
        region = _region_of(key_id) or self._region
        said = {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": dict(context)}
        answer = self._ask(place, "GenerateDataKey", region, **said)
        return DataKey(_key(answer), _octets(answer, "CiphertextBlob"))

    def _ask(self, place: StorePlace, operation: str, region: str | None, **said: Any) -> Mapping[str, Any]:
        calls, signer = self._way(region or self._clients.region(place))
        body = json.dumps(said).encode("ascii")
        target = ("x-amz-target", f"TrentService.{operation}")
        for attempt in range(1, self._attempts + 1):
            keys = self._clients.keys(place)
            try:
                signed = signer.sign("POST", calls.host, "/", "", keys, self._now(), (target,), body=body)
                answer = calls.post(body, signed)
            except NoAnswer as error:
                cause = f"KMS cannot be reached: {error}"
            else:
                if answer.status == 200:
                    return answer.document
                cause = f"KMS refuses {operation}: {answer.code or answer.status}: {answer.message[:300]}"
                if not _is_passing(answer):
                    break
            if attempt < self._attempts:
                self._pause(min(_LONGEST_PAUSE, 0.1 * 2**attempt) * self._chance())
        raise Unavailable(cause=cause)

    def _way(self, region: str) -> tuple[JsonCalls, Signer]:
        with self._lock:
            way = self._ways.get(region)
            if way is None:
                while len(self._ways) >= _REGIONS:
                    del self._ways[next(iter(self._ways))]
                calls = JsonCalls(self._endpoint or _endpoint(region), trust, **self._timeouts)
                way = self._ways[region] = calls, Signer(Scope(region, "kms"))
            return way


def _is_passing(answer: Answer) -> bool:
    return answer.status >= 500 or answer.status == 429 or answer.code in _PASSING


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


def _octets(answer: Mapping[str, Any], name: str) -> bytes:
    try:
        return b64decode(answer[name], validate=True)
    except (KeyError, TypeError, ValueError):
        raise Unavailable(cause=f"an answer of KMS without a good {name}") from None


def _key(answer: Mapping[str, Any]) -> bytes:
    key = _octets(answer, "Plaintext")
    if len(key) != KEY_OCTETS:
        raise Unavailable(cause=f"KMS gives a key of {len(key)} octets")
    return key
