"""How fast mail is taken from people who send, beside Debian's Postfix and aiosmtpd, in alternating rounds of one run.

    python -m bench.submission [--rounds 3] [accepted] [relayed] [memory]

``accepted``: until the server has said 250 and, but for aiosmtpd, has the message on disk. ``relayed``: until a sink behind the
server has all messages; sesmail then answers with the sink's own verdict. ``memory``: what one more connection costs in the middle of
its message. All run with TLS, on 127.0.0.1; clients and sink share the cores with the server, so compare ratios. Needs root, as
Postfix does.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import mtas, process
from bench.mtas import Server, Sink
from bench.submit import Login, Sender, message, send_all
from bench.targets import trusting_anybody
from tests.servers import gateway
from tests.servers.certificates import Authority, Certificate
from tests.servers.ports import free_port

_LOGIN = Login("demo@bench.example", "a password")
_SIZES = {"4 KB": (4_000, 400), "55 KB": (55_000, 200), "1 MB": (1_000_000, 40)}
_CONNECTIONS = (1, 20)
_OPEN = 200
_KB = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("parts", nargs="*", metavar="PART", default=["accepted", "relayed", "memory"])
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        certificate = Authority(Path(folder)).issue("localhost")
        for part in given.parts:
            _PARTS[part](certificate, given.rounds)


def _accepted(certificate: Certificate, rounds: int) -> None:
    with ExitStack() as stack:
        servers = {
            "sesmail": stack.enter_context(_sesmail(certificate, sink=stack.enter_context(_silent()), hold=0)),
            "Postfix": stack.enter_context(mtas.postfix(certificate, sink=None)),
            "aiosmtpd": stack.enter_context(mtas.aiosmtpd(certificate)),
        }
        _heading("accepted", list(servers))
        for name, (size, count) in _SIZES.items():
            for connections in _CONNECTIONS:
                found = [
                    {which: _round(server, which, size, count, connections) for which, server in servers.items()}
                    for _ in range(rounds)
                ]
                _line(f"{name}, {connections} connection{'s' * (connections > 1)}", found)
    print("to reach: not behind Postfix; twice aiosmtpd at 55 KB and 1 MB, not behind it at 4 KB")


def _relayed(certificate: Certificate, rounds: int) -> None:
    with ExitStack() as stack:
        ports = {"sesmail": free_port(), "Postfix": free_port()}
        servers = {
            "sesmail": stack.enter_context(_sesmail(certificate, sink=ports["sesmail"])),
            "Postfix": stack.enter_context(mtas.postfix(certificate, sink=ports["Postfix"])),
        }
        _heading("relayed to a sink", list(servers))
        for name, (size, count) in _SIZES.items():
            for connections in _CONNECTIONS:
                found = [
                    {which: _round(servers[which], which, size, count, connections, ports[which]) for which in servers}
                    for _ in range(rounds)
                ]
                _line(f"{name}, {connections} connection{'s' * (connections > 1)}", found)
    print("to reach: not behind Postfix")


def _round(server: Server, which: str, size: int, count: int, connections: int, sink: int | None = None) -> tuple[float, float]:
    """Messages a second, and CPU milliseconds a message."""
    behind = Sink(sink, count) if sink else None
    login = None if which == "Postfix" else _LOGIN
    before, began = server.cpu_seconds(), time.perf_counter()
    seconds = send_all(server.port, login, size=size, count=count, connections=connections)
    if behind is not None:
        behind.wait(120)
        seconds = time.perf_counter() - began
    return count / seconds, (server.cpu_seconds() - before) / count * 1000


def _heading(what: str, servers: list[str]) -> None:
    columns = "".join(f"{server:>10}{'CPU ms':>8}" for server in servers)
    print(f"\n{what + ', messages/s':26}{columns}   sesmail against the others")


def _line(name: str, found: list[dict[str, tuple[float, float]]]) -> None:
    columns = "".join(
        f"{statistics.median(one[which][0] for one in found):>10.0f}{statistics.median(one[which][1] for one in found):>8.2f}"
        for which in found[0]
    )
    others = [which for which in found[0] if which != "sesmail"]
    ratios = ", ".join(
        f"{statistics.median(one['sesmail'][0] / one[which][0] for one in found):.2f} {which}" for which in others
    )
    print(f"{name:26}{columns}   {ratios}")


def _memory(certificate: Certificate, _: int) -> None:
    with _silent() as sink, _sesmail(certificate, sink=sink, hold=0) as server:
        context = trusting_anybody()
        half = message(1_000_000, 0)[:500_000]
        _in_the_middle(server, context, 20, half)
        before = process.rss(server.pid)
        senders = _in_the_middle(server, context, _OPEN, half)
        each = (process.rss(server.pid) - before) / len(senders) / _KB
        print(f"\n{_OPEN} connections, each in the middle of 1 MB: {each:.1f} KiB each (to reach: 64)")


def _in_the_middle(server: Server, context: Any, count: int, half: bytes) -> list[Sender]:
    senders = [Sender(server.port, _LOGIN, context) for _ in range(count)]
    for sender in senders:
        sender.begin(half)
    time.sleep(1)  # what is still in the kernel is taken
    return senders


@contextmanager
def _silent() -> Iterator[int]:
    """The port of a smarthost that takes connections and never says a word: what is accepted stays in the spool."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


@contextmanager
def _sesmail(certificate: Certificate, *, sink: int, hold: int = 20) -> Iterator[Server]:
    config: dict[str, Any] = {
        "storage": {"url": "none"},
        "auth": {"checkers": ["static"], "users": [{"name": _LOGIN.user, "password": _LOGIN.password}]},
        "pop3": {"listeners": []},
        "submission": {
            "listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1:backlog=500", "tls": "implicit"}],
            "check_domains": False,
            "hold": hold,
        },
        "relay": {"courier": "smtp"},
        "smarthost": {"host": "127.0.0.1", "port": sink, "tls": "none"},
        "limits": {"connections": 1000, "connections_per_address": 1000},
        "tls": {"certificates": [{"certificate": str(certificate.certificate), "key": str(certificate.key)}]},
    }
    with gateway.running(config) as running:
        yield Server(running.ports[0], running.pid)


_PARTS = {"accepted": _accepted, "relayed": _relayed, "memory": _memory}

if __name__ == "__main__":
    main()
