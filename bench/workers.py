"""What two workers gain over one process: POP3S log-ins a second, and messages a second over POP3S.

    python -m bench.workers [--seconds 10]

Clients, gateway and the S3 server in memory share the cores of the machine, so that the gain is small where there are few.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import ssl
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import memory_s3, process
from bench.drain import Session, drain
from bench.memory_s3 import PASSWORD, USER
from tests.servers import gateway
from tests.servers.certificates import Authority
from tests.servers.ports import free_port

CLIENTS = 4
_MESSAGES = 500


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=10.0)
    seconds = arguments.parse_args().seconds
    print(f"{os.cpu_count()} cores, {CLIENTS} clients\n")
    print(f"{'':12}{'log-ins/s':>12}{'messages/s':>12}{'CPU ms a log-in':>18}")
    found = [_measured(workers, seconds) for workers in (1, 2)]
    print(f"{'gain':12}" + "".join(f"{two / one:>12.2f}" for one, two in zip(*found, strict=True)))


def _measured(workers: int, seconds: float) -> tuple[float, float]:
    with TemporaryDirectory() as folder, memory_s3.running(0.0, _MESSAGES) as endpoint:
        authority = Authority(Path(folder))
        with gateway.running(_config(workers, endpoint, authority)) as running:
            port = running.ports[0]
            if workers > 1:
                running.wait_for_log(r"(?s)(worker \d+ serves.*){2}", 60)
            before = process.cpu_seconds_of_family(running.pid)
            logins = _together(_log_in, port, str(authority.certificate), seconds)
            cpu = process.cpu_seconds_of_family(running.pid) - before
            messages = _together(_drain, port, str(authority.certificate), seconds)
    print(f"{workers:<12}{logins / seconds:>12.0f}{messages / seconds:>12.0f}{cpu / logins * 1000:>18.2f}", flush=True)
    return logins / seconds, messages / seconds


def _config(workers: int, endpoint: str, authority: Authority) -> dict[str, Any]:
    issued = authority.issue("localhost")
    return {
        "storage": {"url": "s3://bench", "endpoint": endpoint, "access_key_id": "AKIABENCH", "secret_access_key": "bench"},
        "mailboxes": {"lock": "none"},
        "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "implicit"}]},
        "tls": {"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]},
        "service": {"workers": workers},
    }


def _together(work: Any, port: int, authority: str, seconds: float) -> int:
    """What all clients got done in that time."""
    with ProcessPoolExecutor(CLIENTS, multiprocessing.get_context("spawn")) as pool:
        # Once before, so that no client has yet to begin.
        list(pool.map(work, [port] * CLIENTS, [authority] * CLIENTS, [0.5] * CLIENTS))
        return sum(pool.map(work, [port] * CLIENTS, [authority] * CLIENTS, [seconds] * CLIENTS))


def _log_in(port: int, authority: str, seconds: float) -> int:
    context, done, until = _trusting(authority), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        Session(port, USER, PASSWORD, tls=context).quit()
        done += 1
    return done


def _drain(port: int, authority: str, seconds: float) -> int:
    context, done, until = _trusting(authority), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        done += drain(port, USER, PASSWORD, tls=context).messages
    return done


def _trusting(authority: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    # The bench's client connects by address.
    context.check_hostname = False
    return context


if __name__ == "__main__":
    main()
