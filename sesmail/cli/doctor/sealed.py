"""Mail that SES, or a mail server's pipe, has encrypted with a key of KMS: whether it can be opened, by the key of a real message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from sesmail.assembly.stores import incoming_store
from sesmail.aws.probes import code_of, is_denied, words_of
from sesmail.cli.doctor.aws import Aws, trouble
from sesmail.cli.doctor.bucket import where
from sesmail.cli.doctor.finding import Finding, good, note, wrong
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.interfaces import StorePlace
from sesmail.storage.sealedform import CannotOpen, Envelope, envelope, is_sealed

_ABOUT = "sealed mail"
_LOOKED_AT = 8


def sealed(config: Config, aws: Aws) -> Iterator[Finding]:
    """Nothing where a few messages of each place show none. What KMS gives back is forgotten at once."""
    for metadata in _found(config, aws):
        try:
            yield _opened(config, envelope(metadata), aws)
        except CannotOpen as error:
            yield note(_ABOUT, f"there is some that sesmail does not open: {error.cause}")
        return


def _found(config: Config, aws: Aws) -> Iterator[Mapping[str, str]]:
    heads = [
        (incoming_store(config), config.incoming.prefix),
        (default_store(config), config.mailboxes.template.partition("%")[0]),
    ]
    for place, prefix in heads:
        if place.url.startswith("s3://"):
            yield from _of_place(place, prefix, aws.s3(place))


def _of_place(place: StorePlace, prefix: str, s3: Any) -> Iterator[Mapping[str, str]]:
    try:
        for one in s3.list_objects_v2(Prefix=prefix, MaxKeys=_LOOKED_AT, **where(place)).get("Contents") or ():
            metadata = s3.head_object(Key=one["Key"], **where(place)).get("Metadata") or {}
            names = {name.lower(): str(value) for name, value in metadata.items()}
            if is_sealed(names.keys()):
                yield names
    except ClientError:
        # Lines of their own tell of rights and buckets.
        return


def _opened(config: Config, found: Envelope, aws: Aws) -> Finding:
    key = found.context.get("kms_cmk_id", "the ARN of its key")
    try:
        aws.kms(config.sealed.region).decrypt(CiphertextBlob=found.wrapped, EncryptionContext=dict(found.context))
    except ClientError as error:
        if is_denied(error):
            return wrong(_ABOUT, words_of(error), json.dumps({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}))
        if code_of(error) in ("NotFoundException", "InvalidCiphertextException", "IncorrectKeyException"):
            return wrong(_ABOUT, words_of(error), "sealed.region: the region of the key, if it is not that of the bucket")
        if code_of(error) in ("DisabledException", "KMSInvalidStateException"):
            return wrong(
                _ABOUT, words_of(error), f"aws kms enable-key --key-id {key}, or aws kms cancel-key-deletion --key-id {key}"
            )
        return trouble(_ABOUT, error)
    return good(_ABOUT, "can be opened")
