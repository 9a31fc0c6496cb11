"""How fast sealed mail is read over POP3, beside the same messages that are not sealed, in one run.

    python -m bench.sealed [--messages 2000] [--delay 0.025] [--rounds 3]

Every request to S3 and every request to KMS takes `--delay` seconds. What both say costs them little; each message has a key of its
own. Absolute figures depend on the machine; compare ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import process
from bench.drain import Drained, Session, drain
from bench.memory_s3 import PASSWORD, USER
from tests.servers import gateway
from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded

_MB = 1024 * 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--messages", type=int, default=2000)
    arguments.add_argument("--delay", type=float, default=0.025)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    print(f"{'':14}{'messages/s':>12}{'MiB/s':>8}{'CPU ms/msg':>12}{'peak RSS':>10}")
    rates: dict[str, list[float]] = {"plain": [], "sealed": []}
    for _ in range(given.rounds):
        for kind, found in rates.items():
            found.append(_drained(kind, given.messages, given.delay))
    ratio = statistics.median(rates["sealed"]) / statistics.median(rates["plain"])
    print(f"sealed against plain, medians: {ratio:.2f} (to reach at 25 ms: 0.7)")


def _drained(kind: str, messages: int, delay: float) -> float:
    with _serving(kind == "sealed", messages, delay) as running:
        process.forget_peak(running.pid)
        before = process.cpu_seconds(running.pid)
        drained: Drained = drain(running.ports[0], USER, PASSWORD)
        cost = (process.cpu_seconds(running.pid) - before) / drained.messages * 1000
        peak = process.peak_rss(running.pid) / _MB
    rate = drained.octets / drained.seconds / _MB
    print(f"{kind:14}{drained.rate:>12.0f}{rate:>8.0f}{cost:>12.2f}{peak:>6.0f} MiB")
    return drained.rate


@contextmanager
def _serving(sealed: bool, messages: int, delay: float) -> Iterator[gateway.Gateway]:
    s3, kms, pop = free_port(), free_port(), free_port()
    with TemporaryDirectory(prefix="sesmail-bench-") as directory:
        server = Guarded(
            [sys.executable, "-m", "bench.sealed_servers", str(s3), str(kms), str(delay), str(messages), str(int(sealed))],
            Path(directory) / "log",
        )
        try:
            wait_until(lambda: answers(s3) and answers(kms), seconds=120, what=server.tail)
            config = {
                "storage": {
                    "url": "s3://bench",
                    "endpoint": f"http://127.0.0.1:{s3}",
                    "access_key_id": "AKIABENCH",
                    "secret_access_key": "bench",
                },
                "sealed": {"endpoint": f"http://127.0.0.1:{kms}"},
                "mailboxes": {"lock": "none"},
                "pop3": {"listeners": [{"endpoint": f"tcp:{pop}:interface=127.0.0.1", "tls": "none"}]},
            }
            with gateway.running(config) as running:
                # The first login makes clients and connections; people meet a gateway that runs.
                Session(running.ports[0], USER, PASSWORD).quit()
                yield running
        finally:
            server.stop()


if __name__ == "__main__":
    main()
