"""Listings of every server are read alike, and none is read in part."""

from __future__ import annotations

from itertools import permutations
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.storage.read.pages import Unreadable, parse

_KEY = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)
_ROW = st.tuples(
    _KEY, st.sampled_from(["2026-11-21T09:30:00.000Z"]), st.text("0123456789abcdef-", max_size=34), st.integers(0, 10**12)
)
_AWS = ("Key", "LastModified", "ETag", "Size")
_ORDERS = [*permutations(_AWS)]


def _document(
    rows: list[tuple[str, str, str, int]], order: tuple[str, ...] = _AWS, *, inside: str = "", space: str = ""
) -> bytes:
    items = []
    for key, modified, etag, size in rows:
        fields = {"Key": quote_plus(key, safe="/"), "LastModified": modified, "ETag": f"&quot;{etag}&quot;", "Size": str(size)}
        items.append(
            "<Contents>" + space + inside.join(f"<{tag}>{fields[tag]}</{tag}>" for tag in order) + inside + "</Contents>"
        )
    return (
        f'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>{"".join(items)}</ListBucketResult>'.encode()
    )


def _expected(rows: list[tuple[str, str, str, int]]) -> list[tuple[bytes, ...]]:
    return [(key.encode(), modified.encode(), etag.encode(), str(size).encode()) for key, modified, etag, size in rows]


_ONE = _document([("k", "2026-11-21T09:30:00.000Z", "e", 1)])


@given(rows=st.lists(_ROW, max_size=5), order=st.sampled_from(_ORDERS))
def test_rows_are_read_in_any_order_of_their_elements(rows: list[tuple[str, str, str, int]], order: tuple[str, ...]) -> None:
    for inside in (
        "",
        "<StorageClass>STANDARD</StorageClass>",
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>",
    ):
        assert list(parse(_document(rows, order, inside=inside)).rows) == _expected(rows)


@given(rows=st.lists(_ROW, min_size=1, max_size=5), other=st.lists(_ROW, min_size=1, max_size=5))
def test_rows_that_differ_in_what_nobody_asked_for_are_read_alike(
    rows: list[tuple[str, str, str, int]], other: list[tuple[str, str, str, int]]
) -> None:
    checked = _document(other, inside="<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>")
    both = _document(rows).replace(b"</ListBucketResult>", checked.partition(b"</IsTruncated>")[2])
    assert list(parse(both).rows) == _expected(rows + other)


@given(rows=st.lists(_ROW, min_size=1, max_size=5))
def test_elements_nobody_foresaw_take_the_slow_way_to_the_same_rows(rows: list[tuple[str, str, str, int]]) -> None:
    owner = "<Owner><ID>Key</ID><DisplayName>a&amp;b</DisplayName></Owner>"
    assert list(parse(_document(rows, inside=owner)).rows) == _expected(rows)
    assert list(parse(_document(rows, inside="\n  ", space="\n ")).rows) == _expected(rows)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-11-21T09:30:00Z", b"2026-11-21T09:30:00.000Z"),
        ("2026-11-21T09:30:00.5Z", b"2026-11-21T09:30:00.500Z"),
        ("2026-11-21T09:30:00.123456789Z", b"2026-11-21T09:30:00.123Z"),
    ],
)
def test_dates_are_kept_in_one_length_so_that_they_sort_as_bytes(sent: str, kept: bytes) -> None:
    assert parse(_document([("k", sent, "e", 1)])).rows[0][1] == kept


def test_what_the_url_encoding_left_to_xml_is_decoded_too() -> None:
    sent = _ONE.replace(b"<Key>k", b"<Key>a+b%2Bc&amp;%26amp;")
    for document in (sent, sent.replace(b"<Size>", b"<Owner><ID>x</ID></Owner><Size>")):
        assert parse(document).rows[0][0] == b"a b+c&&amp;"


def test_a_page_says_how_to_go_on() -> None:
    page = parse(
        b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken>"
        b"<CommonPrefixes><Prefix>m/T%C3%B6m/</Prefix></CommonPrefixes></ListBucketResult>"
    )
    assert (page.token, page.folders, page.rows) == ("a&b=", ["m/Töm/"], [])


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Error><Code>SlowDown</Code></Error>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        _ONE[:-40],
        _ONE.replace(b"<Size>1</Size>", b""),
        _ONE.replace(b"2026-11-21T", b"yesterday, "),
        _ONE.replace(b"<Key>k", b"<Key>%FF"),
        b'<!DOCTYPE x [<!ENTITY y "z">]>' + _ONE.replace(b"<Size>", b"<Owner><ID>&y;</ID></Owner><Size>"),
        escape(_ONE.decode()).encode(),
    ],
)
def test_a_listing_that_cannot_be_trusted_to_be_whole_is_refused(document: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(document)
