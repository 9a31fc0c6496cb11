"""As whom AWS is asked, whether it knows him, what its errors mean, and whether the clocks agree."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError, NoCredentialsError, PartialCredentialsError, ProfileNotFound

from sesmail.assembly.aliastable import table_place
from sesmail.assembly.couriers import ses_place
from sesmail.assembly.queues import queue_place
from sesmail.assembly.whom import whom
from sesmail.aws.document import printable
from sesmail.aws.failures import CREDENTIALS
from sesmail.aws.late import ApiPlace, LateClient
from sesmail.aws.probes import code_of, words_of
from sesmail.aws.queues import region_of
from sesmail.aws.sessions import Clients, Whom
from sesmail.cli.doctor.finding import Finding, good, note, unknown, wrong
from sesmail.config.table import Config
from sesmail.errors import MailError
from sesmail.interfaces import StorePlace

CONNECT, READ = 4.0, 8.0
"""Seconds that any server has, for a connection and for a silence."""
THREADS = 16
"""How many ask at a time."""

_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
# How lines begin that are about a service as a whole.
_FIRST = ("credentials", "bucket", "SES account", "queue", "dead letters", "aliases")
_MOST_SKEW = 60.0
# Where a role is assumed, and who asks there. botocore itself reads it since 1.28.
_STS = "AWS_ENDPOINT_URL_STS"
_CLOCK = "timedatectl set-ntp true"
_LOGIN = "give access_key_id and secret_access_key of a key that is in use (`aws iam list-access-keys`), or none where the machine has a role"


def trouble(about: str, error: Exception) -> Finding:
    """Of whatever stood in the way of looking."""
    cause = error.cause if isinstance(error, MailError) and isinstance(error.cause, Exception) else error
    if isinstance(cause, ClientError):
        return _refused(about, cause)
    if isinstance(cause, (NoCredentialsError, PartialCredentialsError, ProfileNotFound)):
        return _nobody(about, f"no AWS credentials: {printable(str(cause), 200)}")
    if isinstance(error, MailError):
        return unknown(about, printable(str(error), 300))
    return unknown(about, printable(f"{type(cause).__name__}: {cause}", 300))


def _refused(about: str, error: ClientError) -> Finding:
    code = code_of(error)
    if code in _SKEWED:
        return wrong(about, words_of(error), _CLOCK)
    if code.removesuffix("Exception") in CREDENTIALS | {"InvalidAccessKeyId", "InvalidToken"}:
        return _nobody(about, words_of(error))
    return unknown(about, words_of(error))


def _nobody(about: str, said: str) -> Finding:
    # Once for each service: it is the same fault with all that is asked there.
    return wrong(about, said, _LOGIN) if about.startswith(_FIRST) else unknown(about, said)


class Aws:
    """Clients for one look at everything: they do not wait long, and ask once. Thread-safe; each is made once, as that takes longer than
    most requests. All methods raise Unavailable where no client can be made."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stores = Clients(connect_timeout=CONNECT, read_timeout=READ, attempts=1, sts_endpoint=_sts())
        self._made: dict[tuple[Whom, str, str | None], LateClient] = {}
        self._lock = threading.Lock()

    def s3(self, place: StorePlace) -> Any:
        """See Clients.s3."""
        return self._stores.s3(place)

    def ses(self, service: str = "sesv2") -> Any:
        """See couriers.ses_client."""
        return self._client(ses_place(self._config), service)

    def sqs(self, url: str) -> Any:
        """For one queue."""
        place = queue_place(self._config, url)
        return self._client(replace(place, url=""), "sqs", place.region or region_of(url))

    def sns(self, topic: str) -> Any:
        """For one topic, asked with the credentials of section queue."""
        given = self._config.queue
        place = ApiPlace(region=topic.split(":")[3], endpoint=given.endpoint, **whom(given, self._config))
        return self._client(place, "sns")

    def kms(self, region: str | None) -> Any:
        """In this region; None is that of storage."""
        storage, sealed = self._config.storage, self._config.sealed
        place = ApiPlace(region=storage.region, endpoint=sealed.endpoint, **whom(storage, self._config))
        return self._client(place, "kms", region)

    def table(self) -> Any:
        """For the table of aliases."""
        return self._client(table_place(self._config), "dynamodb")

    def sts(self, place: ApiPlace) -> Any:
        """For who one is."""
        return self._client(replace(place, endpoint=_sts()), "sts")

    def _client(self, place: Whom, service: str, region: str | None = None) -> Any:
        with self._lock:
            made = self._made.get((place, service, region))
            if made is None:
                made = self._made[place, service, region] = _late(place, service, region)
        return made.client()


def _late(place: Whom, service: str, region: str | None) -> LateClient:
    return LateClient(
        place,
        service,
        connect_timeout=CONNECT,
        read_timeout=READ,
        connections=THREADS,
        sts_endpoint=_sts(),
        region=region,
    )


def _sts() -> str | None:
    return os.environ.get(_STS)


def credentials(sections: str, place: ApiPlace, asked: Aws) -> Iterator[Finding]:
    """Who AWS says that one is, which nobody needs a right for. `sections` are those that use these credentials."""
    about = f"credentials of {sections}"
    if place.endpoint and not _sts():
        yield note(about, f"{place.endpoint} is not AWS: whether they are good shows in what it is asked for")
        return
    said = asked.sts(place).get_caller_identity()
    yield good(about, f"AWS knows them as {said['Arn']}")


def clock(ask: Callable[[], Any], now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """This machine's beside that of whoever is asked: AWS takes no request whose time is too far off."""
    began = now()
    try:
        answer = ask()
    except ClientError as error:
        answer = error.response
    named = (answer.get("ResponseMetadata", {}).get("HTTPHeaders") or {}).get("date")
    if not named:
        yield unknown("clock", "the answer did not say what time it is")
        return
    middle = (began + now()) / 2
    skew = middle - parsedate_to_datetime(named).timestamp()
    if abs(skew) > _MOST_SKEW:
        yield wrong("clock", f"{abs(skew):.0f} seconds {'fast' if skew > 0 else 'slow'}", _CLOCK)
    else:
        yield good("clock", "right to the minute")
