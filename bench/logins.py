"""How long the reactor stands still while logins at once have their passwords checked.

    python -m bench.logins [--logins 8] [--threads 16]

For each kind of hash: seconds until all are checked, and the longest that a call that is due every millisecond came late, in
milliseconds, the median and the worst of some rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from passlib.hash import bcrypt, sha256_crypt, sha512_crypt
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, react

from sesmail.auth import hashes
from sesmail.service.workers import Workers

_PASSWORD = b"open sesame"
_ROUNDS = 7
_STORED = {
    "SHA256-CRYPT, 5000 rounds": "{SHA256-CRYPT}" + sha256_crypt.using(rounds=5000).hash(_PASSWORD),
    "SHA512-CRYPT, 5000 rounds": "{SHA512-CRYPT}" + sha512_crypt.using(rounds=5000).hash(_PASSWORD),
    "SHA512-CRYPT, 20000 rounds": "{SHA512-CRYPT}" + sha512_crypt.using(rounds=20_000).hash(_PASSWORD),
    "yescrypt, as Debian": "$y$j9T$saltsaltsalt$b1KPsJq/OEd.3MwEU9eWyKlNNoW3sAIZKTpBLLPjsR6",
    "bcrypt, cost 10": bcrypt.using(rounds=10).hash(_PASSWORD),
    "a new one": hashes.fresh(_PASSWORD),
}


class _Ticks:
    """What is due every millisecond, and how late it came."""

    def __init__(self) -> None:
        self.latest = 0.0
        self._last = time.perf_counter()
        self._call = LoopingCall(self._tick)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.latest = max(self.latest, now - self._last - 0.001)
        self._last = now

    def __enter__(self) -> _Ticks:
        self._call.start(0.001)
        return self

    def __exit__(self, *_: object) -> None:
        self._call.stop()


async def _measure(workers: Workers, stored: str, logins: int) -> tuple[float, float]:
    began = time.perf_counter()
    with _Ticks() as ticks:
        checks = [Deferred.fromCoroutine(workers.run(hashes.verify, stored, "ann", _PASSWORD)) for _ in range(logins)]
        found = await gatherResults(checks)
    if not all(found):
        raise SystemExit(f"a password that is right was not accepted: {stored}")
    return time.perf_counter() - began, ticks.latest


async def _all(given: argparse.Namespace) -> None:
    workers = Workers(_reactor, "logins", given.threads, 1000)  # type: ignore[arg-type]
    workers.startService()
    for name, stored in _STORED.items():
        if not hashes.known(stored):
            sys.stdout.write(f"{name:<28} not known here\n")
            continue
        rounds = [await _measure(workers, stored, given.logins) for _ in range(_ROUNDS)]
        took, late = (sorted(column) for column in zip(*rounds, strict=True))
        sys.stdout.write(
            f"{name:<28} {statistics.median(took):6.3f} s, late {1000 * statistics.median(late):5.1f} ms,"
            f" worst {1000 * late[-1]:5.1f} ms\n"
        )
    await workers.stopService()


def _main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--logins", type=int, default=8)
    arguments.add_argument("--threads", type=int, default=16)
    given = arguments.parse_args()
    react(lambda _: Deferred.fromCoroutine(_all(given)))


if __name__ == "__main__":
    _main()
