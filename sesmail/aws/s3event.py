"""That an object was written, as S3 itself tells it: where it lies and no more.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import re

from sesmail.aws import objects
from sesmail.aws.document import Part
from sesmail.aws.receipt import Notice
from sesmail.errors import Malformed

# The minor version rises with members that are new; the major one is for what would break a reader.
_VERSION = re.compile(r"2\.\d{1,4}", re.ASCII)


def notice(record: Part, prefix: str) -> Notice | None:
    """Read one record; None for events other than a new object, for folder markers and for what SES writes to prove its access.

    `prefix` is the incoming one: the message is called by what follows it. Raises Malformed.
    """
    if record.has("eventVersion") and not _VERSION.fullmatch(record.member("eventVersion").text()):
        raise Malformed(f"{record.path}.eventVersion is not 2, the one that is known here")
    # MinIO writes "s3:" before it.
    if not record.member("eventName").text().removeprefix("s3:").startswith("ObjectCreated:"):
        return None
    written = record.member("s3")
    bucket = objects.bucket(written.member("bucket").member("name"))
    key = objects.escaped_key(written.member("object").member("key"))
    if key.endswith(("/", objects.SETUP_NOTE)):
        return None
    return Notice(objects.id_of(key, prefix), bucket, key, record.member("eventTime").time())
