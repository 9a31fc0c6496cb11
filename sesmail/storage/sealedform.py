"""What the metadata of an object says about how its octets were sealed: the envelope of the S3 encryption client, versions 1 and 2.

SES seals so where a receipt rule names a KMS key. Everything here comes from the bucket and is checked.
https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-s3.html
https://docs.aws.amazon.com/amazon-s3-encryption-client/latest/developerguide/encryption-contexts.html
"""

from __future__ import annotations

import enum
import json
from binascii import a2b_base64
from collections.abc import Mapping, Set
from dataclasses import dataclass

from sesmail.errors import Malformed

KEY, IV, CIPHER, WRAP, CONTEXT = "x-amz-key-v2", "x-amz-iv", "x-amz-cek-alg", "x-amz-wrap-alg", "x-amz-matdesc"
TAG_BITS, PLAIN_LENGTH = "x-amz-tag-len", "x-amz-unencrypted-content-length"
BOUND = "aws:x-amz-cek-alg"
"""Where the context of a key says with which cipher the key is used."""
TAG = 16
"""Octets of GCM's tag, by which a sealed message is longer."""

_NEWER = frozenset({"x-amz-3", "x-amz-c", "x-amz-d", "x-amz-i"})
_OLDER = "x-amz-key"
MARKS = frozenset({KEY, IV, _OLDER, *_NEWER})
"""Names of which every sealed object has one."""
ALL = MARKS | {CIPHER, WRAP, CONTEXT, TAG_BITS, PLAIN_LENGTH, "x-amz-w", "x-amz-m", "x-amz-t"}
"""All names of an envelope, of any version."""

_WRAPPED_OCTETS = 6144
_CONTEXT_OCTETS = 8192
_REFUSAL = "this message is sealed in a way that is not supported"


class Cipher(enum.Enum):
    """How a message is sealed. CBC has nothing that would show a change."""

    GCM = "AES/GCM/NoPadding"
    CBC = "AES/CBC/PKCS5Padding"


_IV_OCTETS = {Cipher.GCM: 12, Cipher.CBC: 16}


class CannotOpen(Malformed):
    """For ever, as far as the message goes: it was sealed in another way, or is not what was sealed."""

    default = _REFUSAL


@dataclass(frozen=True)
class Envelope:
    """`wrapped`: the data key as only KMS can open it, with `context`."""

    cipher: Cipher
    iv: bytes
    wrapped: bytes
    context: Mapping[str, str]


def is_sealed(names: Set[str]) -> bool:
    """Whether an object with metadata of these names (in lower case, without ``x-amz-meta-``) is sealed."""
    return not MARKS.isdisjoint(names)


def envelope(metadata: Mapping[str, str]) -> Envelope:
    """The envelope of a sealed object. Raises CannotOpen."""
    names = metadata.keys()
    if not _NEWER.isdisjoint(names):
        raise CannotOpen(cause="an envelope of version 3 (with key commitment) of the S3 encryption client")
    if KEY not in names:
        raise CannotOpen(cause="no x-amz-key-v2: not sealed with KMS" if _OLDER in names else "no x-amz-key-v2")
    cipher = _cipher(metadata.get(CIPHER, ""))
    if cipher is Cipher.GCM and metadata.get(TAG_BITS, "128") != "128":
        raise CannotOpen(cause=f"x-amz-tag-len is {metadata[TAG_BITS][:20]!r}")
    iv = _octets(metadata, IV, 16)
    if len(iv) != _IV_OCTETS[cipher]:
        raise CannotOpen(cause=f"x-amz-iv has {len(iv)} octets")
    return Envelope(cipher, iv, _octets(metadata, KEY, _WRAPPED_OCTETS), _context(metadata, cipher))


def _cipher(name: str) -> Cipher:
    try:
        return Cipher(name)
    except ValueError:
        raise CannotOpen(cause=f"x-amz-cek-alg is {name[:60]!r}") from None


def _context(metadata: Mapping[str, str], cipher: Cipher) -> Mapping[str, str]:
    wrap = metadata.get(WRAP, "")
    if wrap not in ("kms", "kms+context"):
        raise CannotOpen(cause=f"x-amz-wrap-alg is {wrap[:60]!r}")
    context = _strings(metadata.get(CONTEXT, "{}"))
    if wrap == "kms+context" and context.get(BOUND) != cipher.value:
        raise CannotOpen(cause="the key was not made for this cipher")
    return context


def _strings(text: str) -> Mapping[str, str]:
    try:
        if len(text) > _CONTEXT_OCTETS:
            raise ValueError("too long")
        given = json.loads(text)
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise ValueError("no object of strings")
        # Half of a surrogate pair is text for JSON and for nobody else. Without an escape there is none.
        if "\\" in text or not text.isascii():
            json.dumps(given, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise CannotOpen(cause="x-amz-matdesc is no JSON object of strings") from None
    return given


def _octets(metadata: Mapping[str, str], name: str, most: int) -> bytes:
    try:
        octets = a2b_base64(metadata.get(name, ""), strict_mode=True)
    except ValueError:
        octets = b""
    if not 0 < len(octets) <= most:
        raise CannotOpen(cause=f"{name} is not 1 to {most} octets in base64")
    return octets
