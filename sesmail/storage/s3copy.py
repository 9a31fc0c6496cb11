"""Copies within S3, made by the server."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sesmail.errors import Refused, Unavailable
from sesmail.storage.keys import RESERVED
from sesmail.storage.s3conditions import sent_with
from sesmail.storage.s3errors import NotKnown, undisturbed
from sesmail.storage.store import Denied, Head, Store, look

_AWS = (".amazonaws.com", ".amazonaws.com.cn")


class Copies:
    """Copies into the bucket of `store`; `where` goes into every request.

    A copy to where nothing may lie yet is left to the server where that knows the condition: AWS's since October 2025
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html), of others it is tried out once. Elsewhere it is
    looked first.
    """

    def __init__(self, store: Store, client: Any, where: Mapping[str, str]) -> None:
        self._store = store
        self._client = client
        self._where = where
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        self._conditions: bool | None = True if host.endswith(_AWS) else None
        self._trying = threading.Lock()

    def copy(
        self, out_of: Mapping[str, str], source: str, key: str, match: str, metadata: dict[str, str], *, absent: bool
    ) -> Head | None:
        """See Store.copy; `out_of`: the bucket that the source lies in, and its owner. Raises Denied, too, and NoBucket."""
        if not absent:
            self._ask(out_of, source, key, match, metadata)
            return None
        if self._knows_condition(key):
            try:
                self._ask(out_of, source, key, match, metadata, absent=True)
                return None
            except Refused:
                found = look(self._store, key)
                if found is None:
                    raise
                return found
            except NotKnown:
                self._conditions = False
        found = look(self._store, key)
        if found is None:
            self._ask(out_of, source, key, match, metadata)
        return found

    def _ask(
        self, out_of: Mapping[str, str], source: str, key: str, match: str, metadata: dict[str, str], *, absent: bool = False
    ) -> None:
        owner = out_of.get("ExpectedBucketOwner")
        whose = {"ExpectedSourceBucketOwner": owner} if owner else {}

        def copy() -> None:
            with sent_with({"If-None-Match": "*"} if absent else {}):
                answer = self._client.copy_object(
                    CopySource={"Bucket": out_of["Bucket"], "Key": source},
                    CopySourceIfMatch=f'"{match}"',
                    Key=key,
                    Metadata=metadata,
                    MetadataDirective="REPLACE",
                    **whose,
                    **self._where,
                )
            if "ETag" not in answer.get("CopyObjectResult", {}):
                raise Unavailable(cause="a copy without a result")

        undisturbed(copy)

    def _knows_condition(self, key: str) -> bool:
        with self._trying:
            if self._conditions is None:
                self._conditions = self._tried_out(f"{key[: key.rfind('/') + 1]}{RESERVED.decode()}/{secrets.token_hex(8)}")
            return self._conditions

    def _tried_out(self, probe: str) -> bool:
        try:
            etag = self._store.put(probe, b"?")
        except Denied:
            return False
        try:
            self._ask(self._where, probe, probe, etag, {"tried": "copy"}, absent=True)
        except Refused:
            return True
        except (Denied, NotKnown):
            return False
        finally:
            self._store.delete([probe])
        return False
