"""How fast mail that came in is sorted, beside a sequential loop over boto3, on the same messages in one run.

    python -m bench.delivery [--messages 2000] [--delay 0.025] [--processes 1 2] [PART ...]

Parts: ``sort`` (events in moto's SQS, messages in SeaweedFS, whose requests arrive `--delay` seconds later; one recipient a message)
and ``lmtp`` (the same into a real Dovecot, beside a loop that gets, delivers by smtplib and deletes). Absolute figures depend on the
machine (gateways, queue, proxy and S3 server share its cores); compare ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import smtplib
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import boto3

from bench import corpus, process, sequential
from tests.aws import sesevents
from tests.servers import dovecot, gateway, moto, proxy, seaweed
from tests.servers.ports import free_port, wait_until

_BUCKET = "delivery"
_USER = "demo@bench.example"
_LOOP = 200
_REACHED = 20


class Bench:
    """One bucket, one queue."""

    def __init__(self, endpoint: str) -> None:
        self.server = seaweed.running()
        self.endpoint = endpoint
        self.s3 = self.server.client(max_pool_connections=16)
        self.sqs = boto3.session.Session().client(
            "sqs",
            endpoint_url=moto.running(),
            region_name="eu-west-1",
            aws_access_key_id="AKIABENCH",
            aws_secret_access_key="x",
        )
        self.queue = self.sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]

    def config(self, target: str, **more: Any) -> dict[str, Any]:
        return {
            "storage": {
                "url": f"s3://{_BUCKET}",
                "endpoint": self.endpoint,
                "region": self.server.region,
                "access_key_id": self.server.access_key,
                "secret_access_key": self.server.secret_key,
            },
            "auth": {"users": [{"name": _USER, "password": "benchmark"}]},
            "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}]},
            "mailboxes": {"domains": ["bench.example"]},
            "incoming": {"prefix": "new/", "sweep_every": 0},
            "queue": {"url": self.queue, "endpoint": moto.running(), "region": "eu-west-1"},
            "routing": {"routes": [{"address": _USER, "to": [target]}]},
            **more,
        }

    def fill(self, count: int, prefix: str = "new/") -> list[str]:
        """So many messages, the same ones each time, and no copies of them; their keys."""
        self._forget("mailboxes/")
        corpus.upload(self.s3, _BUCKET, prefix, count)
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET, Prefix=prefix)
        return [row["Key"] for page in pages for row in page["Contents"]]

    def _forget(self, prefix: str) -> None:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET, Prefix=prefix):
            if rows := page.get("Contents"):
                self.s3.delete_objects(Bucket=_BUCKET, Delete={"Objects": [{"Key": row["Key"]} for row in rows]})

    def tell(self, keys: Sequence[str]) -> None:
        """Their events."""
        for first in range(0, len(keys), 10):
            bodies = [_event(key) for key in keys[first : first + 10]]
            self.sqs.send_message_batch(
                QueueUrl=self.queue, Entries=[{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies)]
            )

    def is_done(self) -> bool:
        """Whether nothing is left of what came in."""
        return not self.s3.list_objects_v2(Bucket=_BUCKET, Prefix="new/", MaxKeys=1)["KeyCount"]


def _event(key: str) -> str:
    said = sesevents.notice(_USER, action=sesevents.s3_action(key, _BUCKET))
    said["mail"]["messageId"] = key.rpartition("/")[2]
    return json.dumps(sesevents.envelope(said))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--messages", type=int, default=2000)
    arguments.add_argument("--delay", type=float, default=0.025)
    arguments.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("parts", nargs="*", metavar="PART", default=list(_PARTS))
    given = arguments.parse_args()
    server = seaweed.running()
    server.make_bucket(_BUCKET)
    with proxy.delayed(server.endpoint, given.delay) as endpoint:
        print(f"{given.messages} messages, {given.delay * 1000:g} ms a request to S3, {os.cpu_count()} cores")
        for name in given.parts:
            _PARTS[name](Bench(endpoint), given.messages, given.processes)


def _sort(bench: Bench, messages: int, processes: Sequence[int]) -> None:
    print(f"\n{'into mailboxes':34}{'events/s':>10}{'CPU ms/event':>14}{'ratio':>8}")
    bench.fill(_LOOP, "old/")
    keys = (bench.server.access_key, bench.server.secret_key)
    loop = sequential.run(bench.endpoint, keys, _BUCKET, "old/", "mailboxes/bench.example/loop/", _LOOP)
    print(f"{'sequential boto3 loop':34}{loop.rate:>10.0f}{loop.cpu * 1000:>14.2f}")
    for count in processes:
        rate = _gateways(bench, f"mailbox:{_USER}", messages, count)
        print(f"{'':34}{rate / loop.rate:>32.1f} (to reach: {_REACHED})")


def _gateways(bench: Bench, target: str, messages: int, count: int, **more: Any) -> float:
    """Events a second of so many gateways together."""
    with ExitStack() as stack:
        running = [stack.enter_context(gateway.running(bench.config(target, **more))) for _ in range(count)]
        # The first message makes clients and connections.
        _through(bench, 20 * count, running)
        rate, cpu = _through(bench, messages, running)
    print(f"{f'sesmail, {count} process' + 'es' * (count > 1):34}{rate:>10.0f}{cpu * 1000:>14.2f}")
    return rate


def _through(bench: Bench, messages: int, running: Sequence[gateway.Gateway]) -> tuple[float, float]:
    keys = bench.fill(messages)
    for one in running:
        one.signal(signal.SIGSTOP)
    bench.tell(keys)
    before = sum(process.cpu_seconds(one.pid) for one in running)
    started = time.perf_counter()
    for one in running:
        one.signal(signal.SIGCONT)
    wait_until(bench.is_done, seconds=600, what=running[0].log)
    seconds = time.perf_counter() - started
    cpu = sum(process.cpu_seconds(one.pid) for one in running) - before
    return messages / seconds, cpu / messages


def _lmtp(bench: Bench, messages: int, processes: Sequence[int]) -> None:
    print(f"\n{'by LMTP into Dovecot':34}{'events/s':>10}{'CPU ms/event':>14}{'ratio':>8}")
    with dovecot.running("demo:{PLAIN}benchmark\n", receiving=True) as receiving:
        port = receiving.lmtp_port
        loop = _lmtp_loop(bench, port)
        print(f"{'sequential loop with smtplib':34}{loop:>10.0f}")
        for count in processes:
            rate = _gateways(bench, "lmtp:demo", messages // 2, count, lmtp_out={"host": "127.0.0.1", "port": port})
            print(f"{'':34}{rate / loop:>32.1f}")


def _lmtp_loop(bench: Bench, port: int) -> float:
    bench.fill(_LOOP, "old/")
    away = boto3.session.Session().client(
        "s3",
        endpoint_url=bench.endpoint,
        region_name="us-east-1",
        aws_access_key_id=bench.server.access_key,
        aws_secret_access_key=bench.server.secret_key,
    )
    rows = away.list_objects_v2(Bucket=_BUCKET, Prefix="old/", MaxKeys=_LOOP)["Contents"]
    started = time.perf_counter()
    for row in rows:
        data = away.get_object(Bucket=_BUCKET, Key=row["Key"])["Body"].read()
        with smtplib.LMTP("127.0.0.1", port) as client:
            client.sendmail("a@else.example", ["demo"], data)
        away.delete_object(Bucket=_BUCKET, Key=row["Key"])
    return len(rows) / (time.perf_counter() - started)


_PARTS: dict[str, Callable[[Bench, int, Sequence[int]], None]] = {"sort": _sort, "lmtp": _lmtp}

if __name__ == "__main__":
    main()
