"""User-defined metadata of objects: what S3 can keep, and how ours joins what is there already.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence

from sesmail.errors import Malformed

LIMIT = 2048
"""Octets of all names and values. Whether S3 counts ``x-amz-meta-`` is not said: it is counted here."""

_PREFIX = len("x-amz-meta-")
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+\Z")
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?\Z")
_BREAKS = re.compile(r"[\x00-\x20\x7f-\xa0]+")


def check(metadata: Mapping[str, str]) -> dict[str, str]:
    """The same. Raises Malformed unless each name is a token in lower case and each value printable ASCII without blanks at its
    ends: anything else would break the request, or come back as something else. Some servers forget a name with an empty value."""
    for name, value in metadata.items():
        if not _NAME.match(name) or not _VALUE.match(value):
            raise Malformed(cause=f"no metadata: {name!r}: {value!r}"[:300])
    return dict(metadata)


def merged(old: Mapping[str, str], ours: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What a copy carries: all of `old`, then of `ours`, in this order, whatever has no name that is taken and still fits into LIMIT.

    `old` wins always: the keys of a sealed message are there. Values are made such as `check` takes; what is so already stays as it is.
    A name that no request can hold is left out.
    """
    metadata = {name: _sendable(value) for name, value in old.items() if _NAME.match(name)}
    size = sum(_size(name, value) for name, value in metadata.items())
    for name, given in ours:
        value = _sendable(given)
        if name not in metadata and size + _size(name, value) <= LIMIT:
            metadata[name] = value
            size += _size(name, value)
    return metadata


def _size(name: str, value: str) -> int:
    return _PREFIX + len(name) + len(value)


def _sendable(value: str) -> str:
    if _VALUE.match(value):
        return value
    value = _BREAKS.sub(" ", value).strip()
    if value.isascii():
        return value
    # As S3 itself shows what is not ASCII.
    return f"=?UTF-8?B?{b64encode(value.encode(errors='replace')).decode()}?="
