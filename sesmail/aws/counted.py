"""How often AWS is asked for what, how that ended and how long it took, whoever asks and by whatever client."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from sesmail.counters import Counter, Histogram

_requests = Counter(
    "sesmail_aws_requests_total",
    "Requests to AWS and servers like it, by how they ended: ok, absent, conflict, refused, throttled, failed (their fault) "
    "or unreachable.",
    ("service", "operation", "result"),
    bound=400,
)
_seconds = Histogram(
    "sesmail_aws_request_seconds",
    "Time until AWS or a server like it answered, with the repeats that its client made.",
    ("service", "operation"),
)

_BEGAN = "sesmail_began"
_THROTTLES = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CONFLICTS = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException", "TransactionConflictException"})


def answered(service: str, operation: str, seconds: float, status: int | None, code: str = "") -> None:
    """One request ended so; `status` is None where no answer came, `code` the name of an error where one is known."""
    _requests.add(service, operation, _result(status, code))
    _seconds.observe(seconds, service, operation)


def count(client: Any) -> None:
    """Count what this boto3 client asks from now on."""
    service = client.meta.service_model.service_name
    events = client.meta.events
    events.register("before-call", _begin, unique_id="sesmail-count-begin")
    events.register("after-call", _ended(service), unique_id="sesmail-count-end")
    events.register("after-call-error", _broken(service), unique_id="sesmail-count-broken")


def _begin(context: dict[str, Any], **_: object) -> None:
    context[_BEGAN] = time.monotonic()


def _ended(service: str) -> Any:
    def ended(http_response: Any, parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: object) -> None:
        answered(service, model.name, _since(context), http_response.status_code, str(parsed.get("Error", {}).get("Code", "")))

    return ended


def _broken(service: str) -> Any:
    def broken(exception: Exception, context: Mapping[str, Any], event_name: str, **_: object) -> None:
        said = exception.response if isinstance(exception, ClientError) else {}
        status = said.get("ResponseMetadata", {}).get("HTTPStatusCode")
        answered(service, event_name.rpartition(".")[2], _since(context), status, str(said.get("Error", {}).get("Code", "")))

    return broken


def _since(context: Mapping[str, Any]) -> float:
    now = time.monotonic()
    return float(now - context.get(_BEGAN, now))


def _result(status: int | None, code: str) -> str:
    if status is None:
        return "unreachable"
    if status in (429, 503) or code in _THROTTLES:
        return "throttled"
    if status < 400:
        return "ok"
    if status in (409, 412) or code in _CONFLICTS:
        return "conflict"
    if status == 404:
        return "absent"
    return "refused" if status < 500 else "failed"
