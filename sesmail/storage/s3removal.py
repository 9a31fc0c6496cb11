"""Removing keys from a bucket: a thousand in a request, one by one where a request cannot hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.storage.s3errors import NoBatches, troubles
from sesmail.storage.store import Denied

BATCH = 1000


class Removal:
    """Removes from one bucket; `where` goes into every request."""

    def __init__(self, client: Any, where: Mapping[str, str]) -> None:
        self._client = client
        self._where = where
        self._batches = True

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
        except NoBatches:
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


def _is_xml(key: str) -> bool:
    """Whether a DeleteObjects document can hold the key (XML 1.0 section 2.2; a CR would be read as LF)."""
    return not any(char < " " or "\x7f" <= char < "\xa0" or char in "\ufffe\uffff" for char in key)
