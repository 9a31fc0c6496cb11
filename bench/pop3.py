"""How fast mail is read over POP3, beside a naive loop over boto3, on the same messages in one run.

    python -m bench.pop3 [--messages 5000] [--delay 0.025] [PART ...]

Parts: ``seaweed`` (SeaweedFS holds the messages; every request to it arrives `--delay` seconds later), and on an S3 server in
memory ``logins``, ``drains``, ``quits``, ``idle`` and ``dovecot``. Absolute figures depend on the machine (client, gateway,
proxy and S3 server share its cores); compare ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bench import corpus, process, targets
from bench.drain import Drained, Session, drain
from bench.memory_s3 import PASSWORD, USER
from tests.servers import gateway, proxy, seaweed
from tests.servers.ports import free_port

_MB = 1024 * 1024
_NAIVE = 300
_PREFIX = "mailboxes/bench.example/demo/"
_LARGE = "mailboxes/bench.example/large/"
_PARTS: dict[str, Callable[[], None] | None] = {
    "seaweed": None,
    "logins": targets.logins,
    "drains": targets.drains,
    "quits": targets.quits,
    "idle": targets.idle,
    "dovecot": targets.beside_dovecot,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--messages", type=int, default=5000)
    arguments.add_argument("--delay", type=float, default=0.025)
    arguments.add_argument("parts", nargs="*", metavar="PART", default=list(_PARTS))
    given = arguments.parse_args()
    for name in given.parts:
        part = _PARTS[name]
        part() if part is not None else _on_seaweed(given.messages, given.delay)


def _on_seaweed(messages: int, delay: float) -> None:
    with ExitStack() as stack:
        server = seaweed.running()
        octets = _fill(server, messages)
        endpoint = stack.enter_context(proxy.delayed(server.endpoint, delay)) if delay else server.endpoint
        print(f"{messages} messages, {octets / _MB:.1f} MiB, {delay * 1000:g} ms a request, {os.cpu_count()} cores\n")
        print(f"{'':34}{'login':>9}{'messages/s':>12}{'MiB/s':>8}{'CPU ms/msg':>12}{'peak RSS':>10}")
        naive = _naive(server, endpoint)
        with _gateway(server, endpoint) as running:
            plain = _drained(running, "sesmail, one command at a time", window=1)
            piped = _drained(running, "sesmail, 16 commands pipelined", window=16)
        with _gateway(server, endpoint) as running:
            _large(running)
        print(f"\nmessages/s against the naive loop: {plain / naive:.1f}, pipelined {piped / naive:.1f} (to reach: 25)")


def _fill(server: seaweed.S3Server, count: int) -> int:
    client = server.client(max_pool_connections=16)
    server.make_bucket("bench")
    lines = [f"{login}:{hashlib.sha512(f'{login}:{PASSWORD}'.encode()).hexdigest()}\n" for login in ("demo", "large")]
    client.put_object(Bucket="bench", Key="mailboxes/bench.example/passwd.txt", Body="".join(lines).encode())
    client.put_object(Bucket="bench", Key=_LARGE + "0" * 40, Body=corpus.message(0, 30 * _MB))
    return corpus.upload(client, "bench", _PREFIX, count)


def _naive(server: seaweed.S3Server, endpoint: str) -> float:
    command = [
        sys.executable,
        "-m",
        "bench.naive",
        endpoint,
        "bench",
        _PREFIX,
        server.access_key,
        server.secret_key,
        str(_NAIVE),
    ]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    drained = Drained(found["login"], found["messages"], found["octets"], found["seconds"])
    _print(f"naive boto3 loop, first {drained.messages}", drained, found["cpu"], found["peak"])
    return drained.rate


@contextmanager
def _gateway(server: seaweed.S3Server, endpoint: str) -> Iterator[gateway.Gateway]:
    config: dict[str, Any] = {
        "storage": {
            "url": "s3://bench",
            "endpoint": endpoint,
            "region": server.region,
            "access_key_id": server.access_key,
            "secret_access_key": server.secret_key,
        },
        "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}]},
    }
    with gateway.running(config) as running:
        # The first login makes clients and connections; people meet a gateway that runs.
        Session(running.ports[0], USER, PASSWORD).quit()
        yield running


def _drained(running: gateway.Gateway, name: str, *, window: int) -> float:
    process.forget_peak(running.pid)
    before = process.cpu_seconds(running.pid)
    drained = drain(running.ports[0], USER, PASSWORD, window=window)
    _print(name, drained, process.cpu_seconds(running.pid) - before, process.peak_rss(running.pid))
    return drained.rate


def _large(running: gateway.Gateway) -> None:
    time.sleep(1)
    idle = process.rss(running.pid)
    process.forget_peak(running.pid)
    drained = drain(running.ports[0], "large@bench.example", PASSWORD)
    above = process.peak_rss(running.pid) - idle
    rate = drained.octets / drained.seconds / _MB
    print(f"\none message of 30 MiB: {above / _MB:.1f} MiB of RSS above idle (to reach: 40), {rate:.0f} MiB/s")


def _print(name: str, drained: Drained, cpu: float, peak: int) -> None:
    rate = drained.octets / drained.seconds / _MB
    cost = cpu / drained.messages * 1000
    print(f"{name:34}{drained.login * 1000:>6.0f} ms{drained.rate:>12.0f}{rate:>8.0f}{cost:>12.2f}{peak / _MB:>6.0f} MiB")


if __name__ == "__main__":
    main()
