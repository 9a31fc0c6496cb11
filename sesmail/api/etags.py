"""Which version of an entry somebody has read (RFC 9110 sections 8.8.3 and 13.1.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.table import Changed
from sesmail.api.problems import Stale


def etag(row: Alias | Domain | DestinationRecord) -> str:
    """Of this entry and version. Who makes an entry anew under the same name gets another one, and so does a change by tacomail, which
    counts no versions."""
    name = row.identifier if isinstance(row, Alias) else row.name if isinstance(row, Domain) else row.address
    text = f"{name}\n{row.created}\n{row.modified}\n{row.version}"
    return f'"{hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]}"'


@contextmanager
def unchanged(headers: Mapping[str, str], row: Alias | Domain | DestinationRecord) -> Iterator[None]:
    """Within it the entry is the one that If-Match names, where the request has that. Raises Stale, also for what happens meanwhile."""
    wanted = headers.get("if-match")
    if wanted is None:
        yield
        return
    if wanted.strip() != "*" and etag(row) not in {one.strip() for one in wanted.split(",")}:
        raise Stale
    try:
        yield
    except Changed:
        raise Stale from None
