"""Names of buckets, objects and messages that come from outside: what could lead anywhere else is refused.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from sesmail.aws.document import Part
from sesmail.errors import Malformed
from sesmail.mail.uidl import hashed

LONGEST_KEY = 1024
SETUP_NOTE = "AMAZON_SES_SETUP_NOTIFICATION"
"""What SES writes, and tells of, when a receipt rule is made: it stands in the place of a message id."""

# As boto3 takes them, but for names that lead to another path.
_BUCKET = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){1,253}[A-Za-z0-9]", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*", re.DOTALL)
_MESSAGE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._=@~-]{0,69}", re.ASCII)
# Every id of SES that was ever seen has 28 to 40 signs of these.
_OF_SES = re.compile(r"[0-9a-v]{20,70}", re.ASCII)


def bucket(part: Part) -> str:
    """The name of a bucket. Raises Malformed."""
    name = part.text()
    if not _BUCKET.fullmatch(name):
        raise Malformed(f"{part.path} is not the name of a bucket")
    return name


def key(part: Part) -> str:
    """A key as it is. Raises Malformed for one that S3 cannot have, that begins with ``/`` or has ``.`` or ``..`` as a part of its
    path, and for control characters."""
    return _checked(part.text(LONGEST_KEY), part.path)


def escaped_key(part: Part) -> str:
    """A key as S3's events have it: ``+`` stands for a space, ``%XX`` for an octet of UTF-8. Raises Malformed as `key` does."""
    written = part.text(3 * LONGEST_KEY)
    try:
        if _ESCAPED.fullmatch(written):
            return _checked(unquote_plus(written, errors="strict"), part.path)
    except UnicodeDecodeError:
        pass
    raise Malformed(f"{part.path} is not a key as S3's events have it")


def message_id(part: Part) -> str:
    """What SES calls a message it received, or SETUP_NOTE: it may be a UIDL, and part of a key or of a file's name. Raises Malformed."""
    name = part.text()
    if not _MESSAGE_ID.fullmatch(name):
        raise Malformed(f"{part.path} is not a message id of SES")
    return name


def id_of(key: str, prefix: str = "") -> str:
    """What to call the message with this key below the incoming prefix: the same that SES calls it, by whatever way it is heard of.

    Rules may have longer prefixes. For objects that others wrote: their name, or a hash where it would not be unique or not be an id.
    """
    rest = key.removeprefix(prefix)
    name = rest.rpartition("/")[2]
    if _OF_SES.fullmatch(name):
        return name
    return rest if _MESSAGE_ID.fullmatch(rest) else hashed(rest.encode("utf-8")).decode("ascii")


def _checked(key: str, path: str) -> str:
    if not key or key.startswith("/") or len(key.encode("utf-8")) > LONGEST_KEY:
        raise Malformed(f"{path} is not a key: it is empty, begins with a slash, or is longer than {LONGEST_KEY} octets")
    if _CONTROL.search(key) or {".", ".."} & set(key.split("/")):
        raise Malformed(f"{path} is a key with control characters, or with . or .. in its path")
    return key
