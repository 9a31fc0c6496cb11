"""AWS's client for sealed objects, run in its own environment: ``s3encryption.py put|get JSON``; the message comes and goes by stdin and stdout.

The JSON object has: s3, kms (endpoints), region, access_key, secret_key, bucket, key, kms_key_id, context, committing (seal as version 3 does).
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.materials.kms_keyring import KmsKeyring
from s3_encryption.materials.materials import AlgorithmSuite, CommitmentPolicy


def client(given: dict[str, Any]) -> S3EncryptionClient:
    """One that reads everything but what is not authenticated."""
    session = boto3.Session(given["access_key"], given["secret_key"], region_name=given["region"])
    kms = session.client("kms", endpoint_url=given["kms"])
    committing = given["committing"]
    config = S3EncryptionClientConfig(
        keyring=KmsKeyring(kms_client=kms, kms_key_id=given["kms_key_id"], enable_legacy_wrapping_algorithms=True),
        encryption_algorithm=AlgorithmSuite.ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY
        if committing
        else AlgorithmSuite.ALG_AES_256_GCM_IV12_TAG16_NO_KDF,
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT
        if committing
        else CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT,
    )
    return S3EncryptionClient(session.client("s3", endpoint_url=given["s3"]), config)


def main(verb: str, given: dict[str, Any]) -> None:
    where = {"Bucket": given["bucket"], "Key": given["key"]}
    if given["context"]:
        where["EncryptionContext"] = given["context"]
    if verb == "put":
        client(given).put_object(Body=sys.stdin.buffer.read(), **where)
    else:
        sys.stdout.buffer.write(client(given).get_object(**where)["Body"].read())


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
