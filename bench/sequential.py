"""What a simple program would do with an event: copy the object for each recipient, delete the original, one after the other."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass

import boto3
from botocore.config import Config


@dataclass(frozen=True)
class Run:
    """What one run did and cost: messages a second, CPU seconds a message."""

    rate: float
    cpu: float


def run(endpoint: str, keys: tuple[str, str], bucket: str, prefix: str, to: str, limit: int) -> Run:
    """Move up to `limit` objects from behind one prefix to behind another, in a process of its own."""
    command = [sys.executable, "-m", "bench.sequential", endpoint, *keys, bucket, prefix, to, str(limit)]
    return Run(**json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def _run(endpoint: str, access_key: str, secret_key: str, bucket: str, prefix: str, to: str, limit: int) -> dict[str, float]:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    rows = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=limit)["Contents"]
    started, cpu = time.perf_counter(), time.process_time()
    for row in rows:
        key = row["Key"]
        client.copy({"Bucket": bucket, "Key": key}, bucket, to + key.removeprefix(prefix))
        client.delete_object(Bucket=bucket, Key=key)
    return {"rate": len(rows) / (time.perf_counter() - started), "cpu": (time.process_time() - cpu) / len(rows)}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    for name in ("endpoint", "access_key", "secret_key", "bucket", "prefix", "to"):
        arguments.add_argument(name)
    arguments.add_argument("limit", type=int)
    json.dump(_run(**vars(arguments.parse_args())), sys.stdout)
