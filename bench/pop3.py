"""How fast mail is read over POP3, beside a naive loop over boto3, on the same messages in one run.

    python -m bench.pop3 [--messages 5000] [--delay 0.025] [PART ...]

Parts: ``seaweed`` (SeaweedFS holds the messages; requests to it arrive at once, then `--delay` seconds later), and on an S3
server in memory ``logins``, ``drains``, ``quits`` and ``idle``, and ``drains-beside`` and ``logins-beside`` Dovecot and the naive
loop. Absolute figures depend on the machine (client, gateway, proxy and S3 server share its cores); compare ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from bench import beside, corpus, naive, process, targets
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
    "drains-beside": beside.drains,
    "logins-beside": beside.logins,
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
    server = seaweed.running()
    octets = _fill(server, messages)
    print(f"{messages} messages, {octets / _MB:.1f} MiB, on SeaweedFS, {os.cpu_count()} cores")
    for each in (0.0, delay):
        with proxy.delayed(server.endpoint, each) if each else nullcontext(server.endpoint) as endpoint:
            _drains(server, endpoint, f"{each * 1000:g} ms a request", messages)


def _drains(server: seaweed.S3Server, endpoint: str, title: str, messages: int) -> None:
    print(f"\n{title:34}{'login':>9}{'messages/s':>12}{'MiB/s':>8}{'CPU ms/msg':>12}{'peak RSS':>10}")
    loop = _naive(server, endpoint)
    with _gateway(server, endpoint) as running:
        port = running.ports[0]
        plain = _drained(running, "sesmail, one command at a time", lambda: drain(port, USER, PASSWORD))
        piped = _drained(running, "sesmail, 16 commands pipelined", lambda: drain(port, USER, PASSWORD, window=16))
        _drained(running, "sesmail, 10 sessions", lambda: targets.together(port, 10, messages // 5))
    with _gateway(server, endpoint) as running:
        _large(running)
    print(f"messages/s against the naive loop: {plain / loop:.1f}, pipelined {piped / loop:.1f} (to reach at 25 ms: 25)")


def _fill(server: seaweed.S3Server, count: int) -> int:
    client = server.client(max_pool_connections=16)
    server.make_bucket("bench")
    lines = [f"{login}:{hashlib.sha512(f'{login}:{PASSWORD}'.encode()).hexdigest()}\n" for login in ("demo", "large")]
    client.put_object(Bucket="bench", Key="mailboxes/bench.example/passwd.txt", Body="".join(lines).encode())
    client.put_object(Bucket="bench", Key=_LARGE + "0" * 40, Body=corpus.message(0, 30 * _MB))
    return corpus.upload(client, "bench", _PREFIX, count)


def _naive(server: seaweed.S3Server, endpoint: str) -> float:
    loop = naive.run(endpoint, _PREFIX, _NAIVE, keys=(server.access_key, server.secret_key))
    _print(f"naive boto3 loop, first {loop.drained.messages}", loop.drained, loop.cpu, loop.peak)
    return loop.drained.rate


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
        "mailboxes": {"lock": "none"},
        "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}]},
    }
    with gateway.running(config) as running:
        # The first login makes clients and connections; people meet a gateway that runs.
        Session(running.ports[0], USER, PASSWORD).quit()
        yield running


def _drained(running: gateway.Gateway, name: str, run: Callable[[], Drained]) -> float:
    process.forget_peak(running.pid)
    before = process.cpu_seconds(running.pid)
    drained = run()
    _print(name, drained, process.cpu_seconds(running.pid) - before, process.peak_rss(running.pid))
    return drained.rate


def _large(running: gateway.Gateway) -> None:
    time.sleep(1)
    idle = process.rss(running.pid)
    process.forget_peak(running.pid)
    drained = drain(running.ports[0], "large@bench.example", PASSWORD)
    above = process.peak_rss(running.pid) - idle
    rate = drained.octets / drained.seconds / _MB
    print(f"one message of 30 MiB: {above / _MB:.1f} MiB of RSS above idle (to reach: 40), {rate:.0f} MiB/s")


def _print(name: str, drained: Drained, cpu: float, peak: int) -> None:
    rate = drained.octets / drained.seconds / _MB
    cost = cpu / drained.messages * 1000
    print(f"{name:34}{drained.login * 1000:>6.0f} ms{drained.rate:>12.0f}{rate:>8.0f}{cost:>12.2f}{peak / _MB:>6.0f} MiB")


if __name__ == "__main__":
    main()
