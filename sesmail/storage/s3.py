"""A store in an S3 bucket, over a blocking boto3 client."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sesmail.errors import MailError, NoSuchMessage, Refused, Unavailable
from sesmail.storage.store import Aged, Denied, Loaded, Row, Unchanged, read_whole

BATCH = 1000
_CONFLICTS = 4
_NO_BATCHES = frozenset({"NotImplemented", "MethodNotAllowed", "MissingContentMD5"})

_conditions = threading.local()


class S3Store:
    """See store.Store. Thread-safe, as the client is.

    `owner`: the account that must own the bucket; another's answers 403, hence Unavailable.
    """

    def __init__(self, client: Any, bucket: str, owner: str | None = None) -> None:
        self._client = client
        self._where = {"Bucket": bucket} | ({"ExpectedBucketOwner": owner} if owner else {})
        self._batches = True
        events = client.meta.events
        events.register("before-call.s3.PutObject", _set_conditions, unique_id="sesmail-put-conditions")
        # Where botocore sets the header too, and after it.
        events.register_last("before-call.s3", _do_not_expect, unique_id="sesmail-put-at-once")

    def list(self, prefix: str, *, delimiter: str = "") -> Iterator[Row]:
        """See Store."""
        for page in self._pages(Prefix=prefix, Delimiter=delimiter):
            for item in page.get("Contents", ()):
                yield _row(item)

    def folders(self, prefix: str) -> Iterator[str]:
        """See Store."""
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"]

    def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        """See Store."""
        condition = {} if known is None else {"IfNoneMatch": f'"{known}"'}
        try:
            answer, data = self._get(key, limit, **condition)
        except _NotModified:
            return Unchanged()
        return Loaded(data, answer["ETag"].strip('"'))

    def load_aged(self, key: str, *, limit: int) -> Aged:
        """See Store. Raises Unavailable when the server does not say what time it is."""
        answer, data = self._get(key, limit)
        return Aged(data, answer["ETag"].strip('"'), _age(answer))

    def _get(self, key: str, limit: int, **condition: str) -> tuple[Mapping[str, Any], bytes]:
        with troubles():
            answer = self._client.get_object(Key=key, **condition, **self._where)
            with answer["Body"] as body:
                return answer, read_whole(body.read, limit)

    def put(self, key: str, data: bytes, *, absent: bool = False, match: str | None = None) -> str:
        """See Store."""
        condition = {"If-None-Match": "*"} if absent else {} if match is None else {"If-Match": f'"{match}"'}
        for _ in range(_CONFLICTS):
            try:
                with troubles(), _sent_with(condition):
                    answer = self._client.put_object(Key=key, Body=data, **self._where)
                    return str(answer["ETag"]).strip('"')
            except _Conflict as error:
                conflict = error
            except NoSuchMessage as error:
                # AWS's answer to If-Match when there is nothing to match.
                raise Refused(cause=error.cause) from None
        raise Unavailable(cause=conflict.cause)

    def delete(self, keys: Iterable[str]) -> dict[str, str]:
        """See Store."""
        left = iter(dict.fromkeys(keys))
        remaining: dict[str, str] = {}
        asked = False
        while batch := list(islice(left, BATCH)):
            try:
                remaining |= self._delete_batch(batch)
                asked = True
            except Unavailable as error:
                if not asked:
                    raise
                return remaining | dict.fromkeys([*batch, *left], str(error.cause))
        return remaining

    def _delete_batch(self, keys: Sequence[str]) -> dict[str, str]:
        together = [key for key in keys if self._batches and _is_xml(key)]
        try:
            remaining = self._delete_together(together) if together else {}
        except _NoBatches:
            self._batches = False
            together, remaining = [], {}
        rest = keys if not together else [key for key in keys if not _is_xml(key)]
        return remaining | self._delete_singly(rest, asked=bool(together))

    def _delete_together(self, keys: Sequence[str]) -> dict[str, str]:
        # Not quietly: silence cannot be told from an answer that was lost on its way.
        order = {"Objects": [{"Key": key} for key in keys]}
        with troubles():
            answer = self._client.delete_objects(Delete=order, **self._where)
        gone = {item["Key"] for item in answer.get("Deleted", ())}
        errors = {error["Key"]: str(error.get("Code", "no code")) for error in answer.get("Errors", ())}
        gone |= {key for key, code in errors.items() if code == "NoSuchKey"}
        return {key: errors.get(key, "no word of it") for key in keys if key not in gone}

    def _delete_singly(self, keys: Sequence[str], *, asked: bool) -> dict[str, str]:
        remaining: dict[str, str] = {}
        for number, key in enumerate(keys):
            try:
                with troubles():
                    self._client.delete_object(Key=key, **self._where)
                asked = True
            except NoSuchMessage:
                asked = True
            except Denied as error:
                # One object may be protected; the others must not wait for it.
                remaining[key] = str(error.cause)
            except Unavailable as error:
                remaining |= dict.fromkeys(keys[number:], str(error.cause))
                break
        if remaining and not asked:
            raise Unavailable(cause=remaining[keys[0]])
        return remaining

    def _pages(self, **request: str) -> Iterator[Mapping[str, Any]]:
        # botocore asks for url-encoded keys and decodes them, unless it is told to: then it leaves the decoding to us.
        pages = self._client.get_paginator("list_objects_v2").paginate(**request, **self._where)
        with troubles():
            yield from pages


def _row(item: Mapping[str, Any]) -> Row:
    moment: datetime = item["LastModified"].astimezone(UTC)
    modified = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    return Row(item["Key"].encode(), modified.encode(), item["ETag"].strip('"').encode(), b"%d" % item["Size"])


def _age(answer: Mapping[str, Any]) -> float:
    # Two times of one answer: the server's clock alone, whatever ours says.
    try:
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        modified: datetime = answer["LastModified"]
        return max(0.0, (now - modified).total_seconds())
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(cause=f"an answer without a good Date or Last-Modified: {error}") from None


def _is_xml(key: str) -> bool:
    """Whether a DeleteObjects document can hold the key (XML 1.0 section 2.2; a CR would be read as LF)."""
    return not any(char < " " or "\x7f" <= char < "\xa0" or char in "\ufffe\uffff" for char in key)


class _NotModified(Unavailable):
    """304: the caller has it."""


class _Conflict(Unavailable):
    """409: another conditional write is under way."""


class _NoBatches(Unavailable):
    """The server has no DeleteObjects."""


@contextmanager
def _sent_with(headers: Mapping[str, str]) -> Iterator[None]:
    _conditions.headers = headers
    try:
        yield
    finally:
        _conditions.headers = {}


def _set_conditions(params: dict[str, Any], **_: object) -> None:
    # boto3 has parameters for these only since 1.35; it calls this in the calling thread, before it signs.
    params["headers"].update(getattr(_conditions, "headers", {}))


def _do_not_expect(params: dict[str, Any], **_: object) -> None:
    # To wait for "100 Continue" costs a round trip, and old botocore hangs when a busy server says it late.
    params["headers"].pop("Expect", None)


@contextmanager
def troubles() -> Iterator[None]:
    """Turns boto3's errors into ours; the cause names operation and code, never what was sent."""
    try:
        yield
    except ClientError as error:
        raise failure(error) from None
    except (BotoCoreError, ResponseParserError, OSError) as error:
        raise Unavailable(cause=f"{type(error).__name__}: {error}"[:300]) from None


def failure(error: ClientError) -> MailError:
    """The kind of an S3 error. Only NoSuchKey means that the object is absent: without the right to list, S3 answers 403 for it,
    and a missing bucket must not look like a missing file."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    cause = f"{error.operation_name}: {code or 'no code'}, status {status}"
    if code == "NoSuchKey":
        return NoSuchMessage(cause=cause)
    if status == 304:
        return _NotModified(cause=cause)
    if status == 412:
        return Refused("the object is not what it was expected to be", cause=cause)
    if code in ("ConditionalRequestConflict", "OperationAborted"):
        return _Conflict(cause=cause)
    if error.operation_name == "DeleteObjects" and (code in _NO_BATCHES or status in (405, 501)):
        return _NoBatches(cause=cause)
    if status == 403:
        return Denied(cause=cause)
    return Unavailable(cause=cause)
