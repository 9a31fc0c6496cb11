"""The read path over S3: list a mailbox in as few round trips as it takes, open messages, load small objects."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import partial

from sesmail.aws.sigv4 import query, uri
from sesmail.errors import NoSuchMessage, TooLarge, Unavailable
from sesmail.interfaces import Body
from sesmail.storage.body import MemoryBody
from sesmail.storage.read.bodies import HEAD, IN_MEMORY, Checksum, Stream
from sesmail.storage.read.pages import ListPage, Unreadable, parse
from sesmail.storage.read.partitions import cuts
from sesmail.storage.read.requests import Requests
from sesmail.storage.read.sealedbody import SealedBody, Unseal, envelope_in, stays_sealed
from sesmail.storage.read.together import together
from sesmail.storage.read.transport import Failed, Response
from sesmail.storage.read.turns import Turns
from sesmail.storage.sealedform import CannotOpen
from sesmail.storage.store import Loaded, Page, Unchanged

_PAGE_LIMIT = 8 * 1024 * 1024
_CHECKSUM = (("x-amz-checksum-mode", "ENABLED"),)
_RANGE = re.compile(rb"bytes ([0-9]+)-[0-9]+/([0-9]+)\Z")


class S3Reader:
    """See sesmail.storage.store.Reader."""

    def __init__(self, requests: Requests, turns: Turns, *, attempts: int, unseal: Unseal | None = None) -> None:
        """`unseal` opens sealed messages; without it all are given as they lie there."""
        self._requests = requests
        self._unseal = unseal
        self._turns = turns
        self._attempts = attempts

    async def list(self, prefix: str, *, nested: bool, page: Page) -> None:
        """See Reader.list. A big mailbox is listed in ranges at once as soon as a page tells how its keys are spread."""
        delimiter = "" if nested else "/"
        token: str | None = None
        while True:
            listed = await self._page(prefix, delimiter, token=token)
            page(listed.rows)
            token = listed.token
            if token is None:
                return
            # Not every server sorts keys of different folders by their octets, on which ranges rest.
            ranges = [] if nested else _ranges(prefix, listed)
            if ranges:
                await together([self._range(prefix, delimiter, after, until, page) for after, until in ranges])
                return

    async def folders(self, prefix: str) -> Sequence[str]:
        """See Reader.folders."""
        found: list[str] = []
        token: str | None = None
        while True:
            listed = await self._page(prefix, "/", token=token)
            found += listed.folders
            token = listed.token
            if token is None:
                return found

    async def open(self, key: str, *, size: int, head: bool = False) -> Body:
        """See Reader.open. What is at most IN_MEMORY octets long is fetched whole, and again when it arrives damaged."""
        path = "/" + uri(key)
        part = head and size > HEAD
        headers = [("range", f"bytes=0-{HEAD - 1}")] if part else []
        return await self._requests.get(path, "", partial(self._opened, key), amz=() if part else _CHECKSUM, headers=headers)

    async def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        """See Reader.load."""
        headers = [("if-none-match", f'"{known}"')] if known else []
        return await self._requests.get("/" + uri(key), "", partial(_loaded, limit), headers=headers)

    async def _range(self, prefix: str, delimiter: str, after: bytes, until: bytes | None, page: Page) -> None:
        token: str | None = None
        # To sign and send what all ranges ask for first takes as long as to read ten pages.
        await self._turns.turn()
        while True:
            listed = await self._page(prefix, delimiter, token=token, after=after)
            rows = listed.rows
            _check_order(rows, after)
            whole = len(rows)
            if until is not None:
                rows = rows[: bisect_right(rows, until, key=_key)]
            if rows:
                page(rows)
                after = rows[-1][0]
            token = listed.token
            if token is None or len(rows) < whole:
                return

    async def _page(self, prefix: str, delimiter: str, *, token: str | None = None, after: bytes = b"") -> ListPage:
        asked = [("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)]
        if delimiter:
            asked.append(("delimiter", delimiter))
        if token is not None:
            asked.append(("continuation-token", token))
        elif after:
            asked.append(("start-after", after.decode()))
        try:
            return await self._requests.get("", query(asked), self._listed)
        except NoSuchMessage as error:
            raise Unavailable(cause=error) from error

    async def _listed(self, response: Response) -> ListPage:
        document = await _all(response, _PAGE_LIMIT)
        await self._turns.turn()
        try:
            return parse(document)
        except Unreadable as error:
            raise Failed(str(error)) from error

    async def _opened(self, key: str, response: Response) -> Body:
        if self._unseal is None:
            return await self._stored(key, response)
        try:
            found = envelope_in(response.headers)
        except CannotOpen as error:
            stays_sealed(key, error)
            raise
        body = await self._stored(key, response)
        return body if found is None else SealedBody(key, body, found, self._unseal)

    async def _stored(self, key: str, response: Response) -> Body:
        start, size = _extent(response)
        if start != 0:
            raise Unavailable(cause="the store sent another range than was asked for")
        checksum = Checksum(response)
        resume = partial(self._rest, "/" + uri(key), response.headers.get(b"etag", b"").decode("ascii", "replace"))
        if response.status == 200 and size > IN_MEMORY:
            return Stream(size, b"", response, checksum, resume, patience=self._attempts)
        data = await _all(response, IN_MEMORY)
        if response.status == 206 and len(data) < size:
            return Stream(size, data, None, checksum, resume, patience=self._attempts)
        checksum.add(data)
        if len(data) != size or not checksum.holds():
            raise Failed("a message arrived damaged")
        return MemoryBody(data)

    async def _rest(self, path: str, etag: str, offset: int) -> Response:
        headers = [("range", f"bytes={offset}-")]
        if etag:
            headers.append(("if-match", etag))
        try:
            return await self._requests.get(path, "", partial(_from, offset), headers=headers)
        except NoSuchMessage as error:
            raise Unavailable(cause="a message vanished while it was read") from error


def _key(row: tuple[bytes, bytes, bytes, bytes]) -> bytes:
    return row[0]


def _ranges(prefix: str, listed: ListPage) -> list[tuple[bytes, bytes | None]]:
    """(after, until) pairs that together hold every key behind this page; none when it is better to go on page by page."""
    if not listed.rows:
        return []
    last = listed.rows[-1][0]
    found = cuts(prefix.encode(), listed.rows[0][0], last, len(listed.rows))
    return list(zip([last, *found], [*found, None], strict=True)) if found else []


def _check_order(rows: Sequence[tuple[bytes, bytes, bytes, bytes]], after: bytes) -> None:
    """Ranges are whole only where keys come in the order of their octets, as S3 promises for general purpose buckets."""
    keys = [row[0] for row in rows]
    if keys and (keys[0] <= after or keys != sorted(keys)):
        raise Unavailable(cause="the store does not list keys in order")


async def _all(response: Response, limit: int) -> bytes:
    pieces = []
    total = 0
    while piece := await response.read():
        pieces.append(piece)
        total += len(piece)
        if total > limit:
            raise Unavailable(cause="an answer is longer than it said")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _loaded(limit: int, response: Response) -> Loaded | Unchanged:
    if response.status == 304:
        return Unchanged()
    if _extent(response)[1] > limit:
        raise TooLarge(cause="a small object is too large")
    data = await _all(response, limit)
    return Loaded(data, response.headers.get(b"etag", b"").decode("ascii", "replace").strip('"'))


async def _from(offset: int, response: Response) -> Response:
    if response.status != 206 or _extent(response)[0] != offset:
        raise Unavailable(cause="the store does not serve ranges")
    return response


def _extent(response: Response) -> tuple[int, int]:
    """Where the body begins and how long the whole object is."""
    if response.status == 206:
        match = _RANGE.match(response.headers.get(b"content-range", b""))
        if match is None:
            raise Failed("a range without its extent")
        return int(match[1]), int(match[2])
    length = response.headers.get(b"content-length", b"")
    if not length.isdigit():
        raise Failed("an object without its length")
    return 0, int(length)
