"""Drains and log-ins beside others in alternating rounds: a naive loop over boto3, and Dovecot over a local Maildir."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import dovecot, memory_s3, naive
from bench.drain import Drained, drain
from bench.memory_s3 import PASSWORD, USER
from bench.targets import serving, together, trusting_anybody
from tests.servers.certificates import Authority

_FAR = 0.025
_ROUNDS = 5
_DRAINED = 1500
_NAIVE = 200
_PREFIX = "mailboxes/bench.example/demo/"

Contestants = Mapping[str, Callable[[], Drained]]


def drains() -> None:
    """The same messages near and far from the store. Dovecot's are on the local disk, at any distance."""
    for delay in (0.0, _FAR):
        found = _rounds(delay, _DRAINED, "mail", _drains)
        print(f"\n{f'drain at {delay * 1000:g} ms':34}{'messages/s':>12}   of {_ROUNDS} rounds")
        for name, results in found.items():
            _print(name, [one.rate for one in results], "")
        for kind in ("POP3", "POP3, 10 sessions", "POP3S"):
            _ratio(f"{kind}: sesmail to Dovecot", found[f"sesmail {kind}"], found[f"Dovecot {kind}"])
        _ratio("POP3: sesmail to the naive loop", found["sesmail POP3"], found["naive loop"])
    print("to reach: POP3S not behind Dovecot's")


def logins() -> None:
    """From connecting to the answer to PASS, for the naive loop from the first page of a listing to its last."""
    for delay in (0.0, _FAR):
        for count in (1000, 5000, 100_000):
            found = _rounds(delay, count, "1500", _logins, rounds=_ROUNDS if count < 100_000 else 1)
            print(f"\nlog-in to {count} messages at {delay * 1000:g} ms")
            for name, results in found.items():
                _print(name, [one.login * 1000 for one in results], " ms")


def _drains(endpoint: str, ours: list[int], theirs: dovecot.Dovecot) -> Contestants:
    found: dict[str, Callable[[], Drained]] = {"naive loop": lambda: naive.run(endpoint, _PREFIX, _NAIVE).drained}
    for name, port, tls_port in (("sesmail", ours[0], ours[1]), ("Dovecot", theirs.port, theirs.tls_port)):
        found |= {
            f"{name} POP3": partial(drain, port, USER, PASSWORD),
            f"{name} POP3, 10 sessions": partial(together, port, 10, _DRAINED // 5),
            f"{name} POP3S": partial(drain, tls_port, USER, PASSWORD, tls=trusting_anybody()),
        }
    return found


def _logins(endpoint: str, ours: list[int], theirs: dovecot.Dovecot) -> Contestants:
    return {
        "naive loop": lambda: naive.run(endpoint, _PREFIX, 1).drained,
        "sesmail": lambda: drain(ours[0], USER, PASSWORD, limit=1),
        "Dovecot": lambda: drain(theirs.port, USER, PASSWORD, limit=1),
    }


def _rounds(
    delay: float,
    count: int,
    size: str,
    contestants: Callable[[str, list[int], dovecot.Dovecot], Contestants],
    *,
    rounds: int = _ROUNDS,
) -> dict[str, list[Drained]]:
    with ExitStack() as stack:
        certificate = Authority(Path(stack.enter_context(TemporaryDirectory()))).issue("localhost")
        endpoint = stack.enter_context(memory_s3.running(delay, count, size))
        ours = stack.enter_context(serving(endpoint, certificate))
        theirs = stack.enter_context(dovecot.running(count, certificate.certificate, certificate.key, size=size))
        # Dovecot's first session makes its index.
        drain(theirs.port, USER, PASSWORD, limit=1)
        runs = contestants(endpoint, ours.ports, theirs)
        found: dict[str, list[Drained]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                found[name].append(run())
    return found


def _print(name: str, values: list[float], unit: str) -> None:
    print(f"{name:34}{statistics.median(values):>12.0f}{unit}   {min(values):.0f}-{max(values):.0f}")


def _ratio(name: str, ours: list[Drained], theirs: list[Drained]) -> None:
    ratios = sorted(one.rate / other.rate for one, other in zip(ours, theirs, strict=True))
    print(f"{name:34}{statistics.median(ratios):>12.2f}   {ratios[0]:.2f}-{ratios[-1]:.2f}")
