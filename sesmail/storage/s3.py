"""A store in an S3 bucket, over a blocking boto3 client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

from sesmail.errors import NoSuchMessage, Refused, Unavailable
from sesmail.storage.metadata import check
from sesmail.storage.s3body import opened, rewindable
from sesmail.storage.s3conditions import prepare, sent_with
from sesmail.storage.s3copy import Copies
from sesmail.storage.s3errors import Bare, NoBucket, NotModified, troubles, undisturbed
from sesmail.storage.s3removal import Removal
from sesmail.storage.store import Aged, Denied, Head, Loaded, Row, Store, Unchanged, carry, read_whole

_SURE = 60.0


class S3Store:
    """See store.Store. Thread-safe, as the client is.

    `owner`: the account that must own the bucket; another's answers 403, hence Unavailable. `now`: seconds of a clock that only
    goes forward.
    """

    keeps_metadata = True

    def __init__(
        self, client: Any, bucket: str, owner: str | None = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._where = {"Bucket": bucket} | ({"ExpectedBucketOwner": owner} if owner else {})
        self._now = now
        self._there_until = float("-inf")
        self._removal = Removal(client, self._where)
        self._copies = Copies(self, client, self._where)
        prepare(client)

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
        except NotModified:
            return Unchanged()
        return Loaded(data, _etag(answer))

    def load_aged(self, key: str, *, limit: int) -> Aged:
        """See Store. Raises Unavailable when the server does not say what time it is."""
        answer, data = self._get(key, limit)
        return Aged(data, _etag(answer), _age(answer))

    def _get(self, key: str, limit: int, **condition: str) -> tuple[Mapping[str, Any], bytes]:
        with troubles():
            answer = self._client.get_object(Key=key, **condition, **self._where)
            with answer["Body"] as body:
                return answer, read_whole(body.read, limit)

    def head(self, key: str) -> Head:
        """See Store."""
        try:
            with troubles():
                return _head(self._client.head_object(Key=key, **self._where))
        except Bare as error:
            if self._now() < self._there_until:
                raise NoSuchMessage(cause=error.cause) from None
            return self._asked_with_words(key)

    def _asked_with_words(self, key: str) -> Head:
        """Ask by GET, whose answer says whether it is the key or the bucket that is missing."""
        try:
            with troubles():
                answer = self._client.get_object(Key=key, **self._where)
        except NoSuchMessage:
            self._there_until = self._now() + _SURE
            raise
        answer["Body"].close()
        return _head(answer)

    def open(self, key: str, *, match: str | None = None) -> BinaryIO:
        """See Store."""
        condition = {} if match is None else {"IfMatch": f'"{match}"'}
        with troubles():
            answer = self._client.get_object(Key=key, **condition, **self._where)
        file = opened(answer["Body"])
        if match is not None and _etag(answer) != match:
            # A server that ignores the condition.
            file.close()
            raise Refused("the object is not what it was expected to be")
        return file

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        absent: bool = False,
        match: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See Store."""
        condition = {"If-None-Match": "*"} if absent else {} if match is None else {"If-Match": f'"{match}"'}
        known = check(metadata or {})
        with troubles(), rewindable(data) as body:

            def put() -> str:
                if not isinstance(body, bytes):
                    body.seek(0)
                with sent_with(condition):
                    return _etag(self._client.put_object(Key=key, Body=body, Metadata=known, **self._where))

            try:
                return undisturbed(put)
            except NoSuchMessage as error:
                # AWS's answer to If-Match when there is nothing to match.
                raise Refused(cause=error.cause) from None

    def copy(
        self,
        source: str,
        key: str,
        *,
        match: str,
        metadata: Mapping[str, str],
        absent: bool = False,
        out_of: Store | None = None,
    ) -> Head | None:
        """See Store. Within one endpoint the server copies; what it may or can not is read and written."""
        origin = self if out_of is None else out_of
        known = check(metadata)
        if isinstance(origin, S3Store) and origin._client.meta.endpoint_url == self._client.meta.endpoint_url:
            try:
                return self._copies.copy(origin._where, source, key, match, known, absent=absent)
            except Denied:
                pass
            except (NoSuchMessage, Refused, NoBucket):
                # With other credentials the same name may be another bucket: only the origin's own know.
                if origin._client is self._client:
                    raise
        return carry(origin, source, self, key, match=match, metadata=known, absent=absent)

    def delete(self, keys: Iterable[str]) -> dict[str, str]:
        """See Store."""
        return self._removal.delete(keys)

    def _pages(self, **request: str) -> Iterator[Mapping[str, Any]]:
        # botocore asks for url-encoded keys and decodes them, unless it is told to: then it leaves the decoding to us.
        pages = self._client.get_paginator("list_objects_v2").paginate(**request, **self._where)
        with troubles():
            yield from pages


def _row(item: Mapping[str, Any]) -> Row:
    moment: datetime = item["LastModified"].astimezone(UTC)
    modified = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    return Row(item["Key"].encode(), modified.encode(), _etag(item).encode(), b"%d" % item["Size"])


def _age(answer: Mapping[str, Any]) -> float:
    # Two times of one answer: the server's clock alone, whatever ours says.
    try:
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        modified: datetime = answer["LastModified"]
        return max(0.0, (now - modified).total_seconds())
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(cause=f"an answer without a good Date or Last-Modified: {error}") from None


def _etag(answer: Mapping[str, Any]) -> str:
    if "ETag" not in answer:
        raise Unavailable(cause="an answer without an ETag")
    return str(answer["ETag"]).strip('"')


def _head(answer: Mapping[str, Any]) -> Head:
    if "ContentLength" not in answer or "LastModified" not in answer:
        raise Unavailable(cause="an answer without a length or a time")
    metadata = {name.lower(): value for name, value in answer.get("Metadata", {}).items()}
    return Head(int(answer["ContentLength"]), _etag(answer), answer["LastModified"].timestamp(), metadata)
