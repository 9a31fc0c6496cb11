"""What counting costs: how often counters move for a message, what one move costs, and which share of the processor's time that is.

    python -m bench.counting [--messages 2000]

A gateway with a directory store takes messages by submission and gives them out by POP3, all with TLS on 127.0.0.1. How often its
counters moved is read from its own figures; what a move costs is measured here.
"""

from __future__ import annotations

import argparse
import poplib
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.parser import text_string_to_metric_families

from bench.process import cpu_seconds
from sesmail.counters import Counter, Histogram
from tests.servers.ports import free_port
from tests.service.house import ANN, PASSWORD, TOM, House, opened
from tests.service.tls import trusting

_MOVES = 200_000
_TO_REACH = 3.0
_SESSION = 50
_SCRAPES = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000)
    messages = parser.parse_args().messages
    move = _dearest_move()
    port = free_port()
    with TemporaryDirectory() as folder:
        monitor = {"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1"}]}
        with opened(Path(folder), monitor=monitor, limits={"connections_per_address": 100}) as house:
            for name, work in (("submission", _submit), ("POP3", _fetch)):
                _report(name, house, port, messages, move, work)
            _report_scrapes(house, port)
    print(f"to reach: less than {_TO_REACH:g} %")


def _report(name: str, house: House, port: int, messages: int, move: float, work: Callable[[House, int], None]) -> None:
    work(house, _SESSION)
    moved, used = _moves(port), cpu_seconds(house.gateway.pid)
    work(house, messages)
    used = cpu_seconds(house.gateway.pid) - used
    moves = (_moves(port) - moved) / messages
    share = 100 * moves * move * messages / used
    print(
        f"{name}: {moves:.1f} moves a message, {used / messages * 1e6:.0f} us of the processor a message, {share:.2f} % of it for counting"
    )


def _dearest_move() -> float:
    """Seconds for a move of a histogram with labels, which costs more than that of a counter."""
    counter = Counter("bench_total", "Of this run.", ("which",))
    histogram = Histogram("bench_seconds", "Of this run.", ("which",))
    costs = {}
    for name, call in (("counter", lambda: counter.add("x")), ("histogram", lambda: histogram.observe(0.3, "x"))):
        began = time.process_time()
        for _ in range(_MOVES):
            call()
        costs[name] = (time.process_time() - began) / _MOVES
        print(f"a move of a {name}: {costs[name] * 1e6:.2f} us")
    return max(costs.values())


def _report_scrapes(house: House, port: int) -> None:
    used = cpu_seconds(house.gateway.pid)
    octets = [len(_scraped(port)) for _ in range(_SCRAPES)]
    used = cpu_seconds(house.gateway.pid) - used
    print(f"/metrics: {octets[0]} octets, {used / _SCRAPES * 1e3:.1f} ms of the processor each time")


def _scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        return str(answer.read().decode())


def _moves(port: int) -> float:
    """How often anything was counted. What counts octets or messages moves less often than it counts, and is left out."""
    families = list(text_string_to_metric_families(_scraped(port)))
    counted = [one for family in families if family.type == "counter" for one in family.samples]
    timed = [one for family in families if family.type == "histogram" for one in family.samples if one.name.endswith("_count")]
    return sum(
        float(one.value) for one in counted + timed if not one.name.endswith(("_octets_total", "_listed_messages_total"))
    )


def _submit(house: House, count: int) -> None:
    text = b"From: tom@example.com\r\nSubject: bench\r\n\r\n" + b"x" * 70 + b"\r\n" * 10
    with house.smtp() as smtp:
        for _ in range(count):
            smtp.sendmail(TOM, [ANN], text)


def _fetch(house: House, count: int) -> None:
    while count > 0:
        session = poplib.POP3_SSL("localhost", house.gateway.ports[0], context=trusting(house.authority), timeout=60)
        session.user(ANN)
        session.pass_(PASSWORD)
        for number in range(min(count, _SESSION)):
            session.retr(number + 1)
        session.quit()
        count -= _SESSION


if __name__ == "__main__":
    main()
