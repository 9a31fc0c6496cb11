"""What S3 itself is asked to encrypt: everything that is written, and as the configuration says."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex
from typing import Any

import boto3
import pytest
import yaml

from sesmail.assembly.stores import blocking_stores, clients
from sesmail.config.load import load
from sesmail.config.stores import default_store
from tests.servers import moto

REGION = "eu-west-1"


def client(service: str) -> Any:
    keys = {"aws_access_key_id": "AKIAROOT", "aws_secret_access_key": "root"}
    return boto3.client(service, endpoint_url=moto.running(), region_name=REGION, **keys)


@pytest.mark.parametrize("encryption", [None, "sse-s3", "sse-kms", "sse-kms with a key"])
def test_what_is_put_and_what_is_copied_is_encrypted_as_it_is_chosen(tmp_path: Path, encryption: str | None) -> None:
    s3, bucket = client("s3"), f"mail-{token_hex(4)}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    key = str(client("kms").create_key()["KeyMetadata"]["Arn"]) if encryption and "key" in encryption else None
    wanted = {"encryption": encryption.partition(" ")[0]} if encryption else {}
    wanted |= {"encryption_key": key} if key else {}
    storage = {"url": f"s3://{bucket}", "region": REGION, "endpoint": moto.running(), **wanted}
    file = tmp_path / "sesmail.yaml"
    file.write_text(yaml.safe_dump({"storage": storage, "pop3": {"listeners": []}}))
    config = load(str(file), {})
    store = blocking_stores(clients(config))(default_store(config))
    tag = store.put("one", b"octets", absent=True, metadata={"sesmail-sender": "x"})
    store.copy("one", "two", match=tag, metadata={"sesmail-sender": "y"})
    for name in ("one", "two"):
        head = s3.head_object(Bucket=bucket, Key=name)
        # Without a word, S3 does this by itself.
        assert (
            head.get("ServerSideEncryption")
            in {
                None: (None, "AES256"),
                "sse-s3": ("AES256",),
                "sse-kms": ("aws:kms",),
            }[wanted.get("encryption")]
        )
        if key:
            assert head["SSEKMSKeyId"] == key
