"""How fast mail that came in is sorted, beside a sequential loop over boto3, on the same messages in one run.

    python -m bench.delivery [PART ...] [--messages 1000] [--delay 0.025] [--processes 1 2] [--rounds 3]

Parts: ``sort`` (one recipient a message; the store is in memory and costs little, so that what is measured is the gateway), ``seaweed``
(the same in SeaweedFS behind a proxy that delays requests), ``lmtp`` (from the store in memory into a real Dovecot, beside a loop that
gets, delivers by smtplib and deletes). Requests to S3 and to the queue, which is in memory, take `--delay` seconds more. Absolute
figures depend on the machine (gateways, queue, store and Dovecot share its cores); compare ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import smtplib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from bench import corpus, memory_bucket, memory_sqs, process, sequential
from bench.sequential import Run
from tests.aws import sesevents
from tests.servers import dovecot, gateway, proxy, seaweed
from tests.servers.ports import free_port, wait_until

_BUCKET = "delivery"
_USER = "demo@bench.example"
_REGION = "us-east-1"
_LOOP = 200
_REACHED = 20


@dataclass(frozen=True)
class S3:
    """A server: how we reach it, how those do that are measured, and with which keys."""

    near: str
    far: str
    access_key: str = "AKIABENCH"
    secret_key: str = "x"

    def client(self, endpoint: str) -> Any:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=_REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
        )


class Bench:
    """One bucket, one queue."""

    def __init__(self, server: S3, queues: str) -> None:
        self.server = server
        self.s3 = server.client(server.near)
        self.sqs = boto3.session.Session().client(
            "sqs",
            endpoint_url=queues,
            region_name=_REGION,
            aws_access_key_id="AKIABENCH",
            aws_secret_access_key="x",
        )
        self.queues = queues
        self.queue = f"{queues}/123456789012/notices"

    def config(self, target: str, **more: Any) -> dict[str, Any]:
        return {
            "storage": {
                "url": f"s3://{_BUCKET}",
                "endpoint": self.server.far,
                "region": _REGION,
                "access_key_id": self.server.access_key,
                "secret_access_key": self.server.secret_key,
            },
            "auth": {"users": [{"name": _USER, "password": "benchmark"}]},
            "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}]},
            "mailboxes": {"domains": ["bench.example"]},
            "incoming": {"prefix": "new/", "sweep_every": 0},
            "queue": {
                "url": self.queue,
                "endpoint": self.queues,
                "region": _REGION,
                "access_key_id": "AKIABENCH",
                "secret_access_key": "x",
            },
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
    arguments.add_argument("--messages", type=int, default=1000)
    arguments.add_argument("--delay", type=float, default=0.025)
    arguments.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("parts", nargs="*", metavar="PART", default=list(_PARTS))
    given = arguments.parse_args()
    print(f"{given.messages} messages, {given.delay * 1000:g} ms a request to S3 and SQS, {os.cpu_count()} cores")
    for name in given.parts:
        _PARTS[name](given)


def _sort(given: argparse.Namespace) -> None:
    with memory_bucket.running(given.delay) as endpoint, memory_sqs.running(given.delay) as queues:
        _into_mailboxes("into mailboxes", Bench(S3(endpoint, endpoint), queues), given)


def _seaweed(given: argparse.Namespace) -> None:
    server = seaweed.running()
    server.make_bucket(_BUCKET)
    with proxy.delayed(server.endpoint, given.delay) as far, memory_sqs.running(given.delay) as queues:
        s3 = S3(server.endpoint, far, server.access_key, server.secret_key)
        _into_mailboxes("into mailboxes in SeaweedFS", Bench(s3, queues), given)


def _into_mailboxes(title: str, bench: Bench, given: argparse.Namespace) -> None:
    def loop() -> Run:
        bench.fill(_LOOP, "old/")
        server, to = bench.server, "mailboxes/bench.example/loop/"
        return sequential.run(server.far, (server.access_key, server.secret_key), _BUCKET, "old/", to, _LOOP)

    _compared(title, "sequential boto3 loop", loop, bench, f"mailbox:{_USER}", given)


def _lmtp(given: argparse.Namespace) -> None:
    with ExitStack() as stack:
        receiving = stack.enter_context(dovecot.running("demo:{PLAIN}benchmark::::::\n", receiving=True))
        endpoint = stack.enter_context(memory_bucket.running(given.delay))
        bench = Bench(S3(endpoint, endpoint), stack.enter_context(memory_sqs.running(given.delay)))
        port = receiving.lmtp_port
        out = {"lmtp_out": {"host": "127.0.0.1", "port": port}}
        _compared(
            "by LMTP into Dovecot",
            "sequential loop with smtplib",
            lambda: _lmtp_loop(bench, port),
            bench,
            "lmtp:demo",
            given,
            out,
        )


def _compared(
    title: str,
    name: str,
    loop: Callable[[], Run],
    bench: Bench,
    target: str,
    given: argparse.Namespace,
    more: Mapping[str, Any] = {},
) -> None:
    """In alternating rounds, so that what else the machine does meets both."""
    loops: list[Run] = []
    found: dict[int, list[Run]] = {count: [] for count in given.processes}
    for _ in range(given.rounds):
        loops.append(loop())
        for count, runs in found.items():
            runs.append(_gateways(bench, target, given.messages, count, more))
    print(f"\n{title:34}{'events/s':>10}{'CPU ms/event':>14}{'ratio':>8}   to reach: {_REACHED}")
    print(f"{name:34}{_median(loops, 'rate'):>10.0f}{_median(loops, 'cpu') * 1000:>14.2f}")
    for count, runs in found.items():
        ratios = sorted(run.rate / one.rate for run, one in zip(runs, loops, strict=True))
        figures = f"{_median(runs, 'rate'):>10.0f}{_median(runs, 'cpu') * 1000:>14.2f}{statistics.median(ratios):>8.1f}"
        print(f"{f'sesmail, {count} process' + 'es' * (count > 1):34}{figures}   {ratios[0]:.1f}-{ratios[-1]:.1f}")


def _median(runs: Sequence[Run], name: str) -> float:
    return float(statistics.median(getattr(run, name) for run in runs))


def _gateways(bench: Bench, target: str, messages: int, count: int, more: Mapping[str, Any]) -> Run:
    """So many gateways together."""
    with ExitStack() as stack:
        running = [stack.enter_context(gateway.running(bench.config(target, **more))) for _ in range(count)]
        # The first messages make clients and connections.
        _through(bench, 50 * count, running)
        return _through(bench, messages, running)


def _through(bench: Bench, messages: int, running: Sequence[gateway.Gateway]) -> Run:
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
    return Run(messages / seconds, cpu / messages)


def _lmtp_loop(bench: Bench, port: int) -> Run:
    keys = bench.fill(_LOOP, "old/")
    away = bench.server.client(bench.server.far)
    started, cpu = time.perf_counter(), time.process_time()
    for key in keys:
        data = away.get_object(Bucket=_BUCKET, Key=key)["Body"].read()
        with smtplib.LMTP("127.0.0.1", port) as client:
            client.sendmail("a@else.example", ["demo"], data)
        away.delete_object(Bucket=_BUCKET, Key=key)
    return Run(len(keys) / (time.perf_counter() - started), (time.process_time() - cpu) / len(keys))


_PARTS: dict[str, Callable[[argparse.Namespace], None]] = {"sort": _sort, "seaweed": _seaweed, "lmtp": _lmtp}

if __name__ == "__main__":
    main()
