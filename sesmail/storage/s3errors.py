"""S3's errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from sesmail.errors import MailError, Malformed, NoSuchMessage, Refused, TooLarge, Unavailable
from sesmail.storage.store import Denied

_T = TypeVar("_T")
_CONFLICTS = 4
_NO_BATCHES = frozenset({"NotImplemented", "MethodNotAllowed", "MissingContentMD5"})


class NotModified(Unavailable):
    """304: the caller has it."""


class Conflict(Unavailable):
    """409: another conditional write is under way."""


class NoBatches(Unavailable):
    """The server has no DeleteObjects."""


class NotKnown(Unavailable):
    """501: the server does not know what it was asked for."""


class NoBucket(Unavailable):
    """404, and it is the bucket that is missing."""


class Bare(Unavailable):
    """404 to a HEAD, which has no body to say what is missing."""


_CODES: Mapping[str, type[MailError]] = {
    "NoSuchKey": NoSuchMessage,
    "NoSuchBucket": NoBucket,
    "ConditionalRequestConflict": Conflict,
    "OperationAborted": Conflict,
    "MetadataTooLarge": TooLarge,
    "EntityTooLarge": TooLarge,
    "KeyTooLongError": Malformed,
}


@contextmanager
def troubles() -> Iterator[None]:
    """Turns boto3's errors into ours; the cause names operation and code, never what was sent."""
    try:
        yield
    except ClientError as error:
        raise failure(error) from None
    except (BotoCoreError, ResponseParserError, OSError, HTTPError) as error:
        raise Unavailable(cause=f"{type(error).__name__}: {error}"[:300]) from None
    except RecursionError:
        # botocore asks for the bucket's region, of the same server, as often as it is sent elsewhere.
        raise Unavailable(cause="status 301 without end") from None


def failure(error: ClientError) -> MailError:
    """The kind of an S3 error. Only NoSuchKey means that the object is absent: without the right to list, S3 answers 403 for it,
    and a missing bucket must not look like a missing file."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    cause = f"{error.operation_name}: {code or 'no code'}, status {status}"
    if status == 412:
        return Refused("the object is not what it was expected to be", cause=cause)
    return _kind(error.operation_name, code, status)(cause=cause)


def _kind(operation: str, code: str, status: int) -> type[MailError]:
    if code in _CODES:
        return _CODES[code]
    if status == 304:
        return NotModified
    if status == 404 and operation == "HeadObject":
        return Bare
    if operation == "DeleteObjects" and (code in _NO_BATCHES or status in (405, 501)):
        return NoBatches
    if status == 501:
        return NotKnown
    return Denied if status == 403 else Unavailable


def undisturbed(call: Callable[[], _T]) -> _T:
    """Asks again, a few times, while another write of the key is under way; otherwise as `troubles`."""
    for _ in range(_CONFLICTS):
        try:
            with troubles():
                return call()
        except Conflict as error:
            conflict = error
    raise Unavailable(cause=conflict.cause)
