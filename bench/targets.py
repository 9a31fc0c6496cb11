"""The figures that sesmail holds itself to, on the S3 server in memory."""

from __future__ import annotations

import resource
import ssl
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import memory_s3, process
from bench.drain import Drained, Session, drain
from bench.memory_s3 import PASSWORD, USER
from tests.servers import gateway
from tests.servers.certificates import Authority, Certificate
from tests.servers.ports import free_ports

_FAR = 0.025
_KB = 1024
_MB = 1024 * 1024
_IDLE = 2000


@contextmanager
def serving(endpoint: str, certificate: Certificate | None = None) -> Iterator[gateway.Gateway]:
    """A gateway over this store, on a port in the clear and one under TLS."""
    ports = free_ports(2)
    listeners = [{"endpoint": f"tcp:{ports[0]}:interface=127.0.0.1:backlog=1000", "tls": "none"}]
    config: dict[str, Any] = {
        "storage": {"url": "s3://bench", "endpoint": endpoint, "access_key_id": "AKIABENCH", "secret_access_key": "bench"},
        "mailboxes": {"lock": "none"},
        "limits": {"connections": 10_000, "connections_per_address": 10_000},
        "log": {"level": "info"},
    }
    if certificate is not None:
        listeners.append({"endpoint": f"tcp:{ports[1]}:interface=127.0.0.1:backlog=1000", "tls": "implicit"})
        config["tls"] = {"certificates": [{"certificate": str(certificate.certificate), "key": str(certificate.key)}]}
    with gateway.running({**config, "pop3": {"listeners": listeners}}) as running:
        # The first login makes clients and connections; people meet a gateway that runs.
        Session(running.ports[0], USER, PASSWORD).quit()
        yield running


def logins() -> None:
    """Log-in by size of the mailbox, and what others feel of it."""
    print(f"\n{'log-in':34}{'median':>10}{'worst':>10}{'others wait':>13}{'RSS':>9}")
    for delay in (0.0, _FAR):
        for count in (1000, 5000, 100_000):
            _logins(delay, count)
    print(
        "to reach at 25 ms: 5,000 in 100 ms, 100,000 in 600 ms, nobody waits over 20 ms (client and S3 server share the cores)"
    )


def _logins(delay: float, count: int) -> None:
    with memory_s3.running(delay, count, "1500") as endpoint, serving(endpoint) as running:
        idle = process.rss(running.pid)
        other = Session(running.ports[0], USER, PASSWORD)
        with _pinging(other) as waits:
            times = [_login(running.ports[0]) for _ in range(7)]
        grown = process.rss(running.pid) - idle
    name = f"{count} messages at {delay * 1000:g} ms"
    median, worst = statistics.median(times) * 1000, max(times) * 1000
    print(f"{name:34}{median:>7.0f} ms{worst:>7.0f} ms{max(waits) * 1000:>10.0f} ms{grown / _MB:>6.0f} MB")


def _login(port: int) -> float:
    session = Session(port, USER, PASSWORD)
    session.quit()
    return session.login


@contextmanager
def _pinging(session: Session) -> Iterator[list[float]]:
    """How long each NOOP of another session takes meanwhile."""
    waits: list[float] = []
    over = threading.Event()

    def ping() -> None:
        while not over.wait(0.002):
            began = time.perf_counter()
            session.ask("NOOP")
            waits.append(time.perf_counter() - began)

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


def drains() -> None:
    """Messages a second, near and far from the store, in one session and in ten."""
    print(f"\n{'drain':34}{'messages/s':>12}{'MiB/s':>8}{'CPU ms/msg':>12}{'peak RSS':>10}")
    for delay in (0.0, _FAR):
        with memory_s3.running(delay, 3000) as endpoint, serving(endpoint) as running:
            for sessions, each in ((1, 3000), (10, 600)):
                process.forget_peak(running.pid)
                before = process.cpu_seconds(running.pid)
                drained = together(running.ports[0], sessions, each)
                cost = (process.cpu_seconds(running.pid) - before) / drained.messages * 1000
                name = f"{delay * 1000:g} ms, {sessions} session{'s' * (sessions > 1)}"
                rate = drained.octets / drained.seconds / _MB
                peak = process.peak_rss(running.pid) / _MB
                print(f"{name:34}{drained.rate:>12.0f}{rate:>8.0f}{cost:>12.2f}{peak:>6.0f} MiB")
    print("to reach at 25 ms: 1,000 messages/s in one session, 0.4 ms CPU a message of 55 KB")


def together(port: int, sessions: int, each: int) -> Drained:
    """So many sessions at a time, each of which fetches so many messages."""
    with ThreadPoolExecutor(sessions) as pool:
        began = time.perf_counter()
        all_drained = list(pool.map(lambda _: drain(port, USER, PASSWORD, limit=each), range(sessions)))
        seconds = time.perf_counter() - began
    seconds = all_drained[0].seconds if sessions == 1 else seconds
    octets = sum(one.octets for one in all_drained)
    return Drained(all_drained[0].login, sum(one.messages for one in all_drained), octets, seconds)


def quits() -> None:
    """QUIT after 100 DELEs."""
    with memory_s3.running(_FAR, 1000) as endpoint, serving(endpoint) as running:
        times = [_quit(running.ports[0]) for _ in range(5)]
    print(f"\nQUIT after 100 DELEs at 25 ms: {statistics.median(times) * 1000:.0f} ms (to reach: 4 round trips, 100 ms)")


def _quit(port: int) -> float:
    session = Session(port, USER, PASSWORD)
    for number in range(1, 101):
        session.ask(f"DELE {number}")
    began = time.perf_counter()
    session.quit()
    return time.perf_counter() - began


def idle() -> None:
    """What an idle POP3S session costs, logged in."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * _IDLE + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with (
        TemporaryDirectory() as directory,
        memory_s3.running(0, 1000) as endpoint,
        serving(endpoint, Authority(Path(directory)).issue("localhost")) as running,
    ):
        context = trusting_anybody()
        warm = [Session(running.ports[1], USER, PASSWORD, tls=context) for _ in range(50)]
        before = process.rss(running.pid)
        sessions = [Session(running.ports[1], USER, PASSWORD, tls=context) for _ in range(_IDLE)]
        each = (process.rss(running.pid) - before) / len(sessions) / _KB
        print(f"\n{_IDLE} idle POP3S sessions: {each:.1f} KiB each (to reach: 40)")
        del warm, sessions


def trusting_anybody() -> ssl.SSLContext:
    """Verification is not what is timed here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
