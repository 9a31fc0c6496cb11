"""What a simple program would do: list with boto3's paginator, then get one object after the other."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from bench.drain import Drained


@dataclass(frozen=True)
class Loop:
    """What one run did and cost: CPU seconds of fetching, octets of RSS at its peak."""

    drained: Drained
    cpu: float
    peak: int


def run(endpoint: str, prefix: str, limit: int, *, keys: tuple[str, str] = ("AKIABENCH", "bench")) -> Loop:
    """List what lies behind the prefix in bucket `bench` and get the first `limit` objects, in a process of its own."""
    command = [sys.executable, "-m", "bench.naive", endpoint, "bench", prefix, *keys, str(limit)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    drained = Drained(found["login"], found["messages"], found["octets"], found["seconds"])
    return Loop(drained, found["cpu"], found["peak"])


def _run(endpoint: str, bucket: str, prefix: str, access_key: str, secret_key: str, limit: int) -> dict[str, Any]:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)  # connect first, as the gateway has
    started = time.perf_counter()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    listed = time.perf_counter()
    cpu = time.process_time()
    octets = sum(len(client.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys[:limit])
    return {
        "login": listed - started,
        "messages": min(limit, len(keys)),
        "octets": octets,
        "seconds": time.perf_counter() - listed,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    for name in ("endpoint", "bucket", "prefix", "access_key", "secret_key"):
        arguments.add_argument(name)
    arguments.add_argument("limit", type=int)
    json.dump(_run(**vars(arguments.parse_args())), sys.stdout)
