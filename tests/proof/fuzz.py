"""Whatever clients say, in whatever pieces, and whatever the store does: rounds by number, each of them the same every time.

    python -m tests.proof.fuzz --seed 1 --inputs 10000
    python -m tests.proof.fuzz --seed 1 --first 4711 --rounds 1

An input is all that one client says. Ends with status 1 and what to call to see it again when anything was wrong.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import logging
import resource
import signal
import ssl
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType

from twisted.internet.ssl import PrivateCertificate
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer

from tests.proof.rounds import Keys, Round
from tests.servers.certificates import Authority

_LONGEST = 60
_COLLECT = 500
# What the process may grow by after its first tenth.
_GROWTH = 32 * 1024 * 1024


@implementer(ILogObserver)
class Errors(logging.Handler):
    """Every error that anybody logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        logging.getLogger().addHandler(self)
        globalLogPublisher.addObserver(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(logging.Formatter().format(record))

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical) or event.get("isError"):
            failure = event.get("log_failure")
            self.found.append(failure.getTraceback() if failure else str(event.get("log_format")))


def keys(directory: Path) -> Keys:
    issued = Authority(directory).issue("localhost")
    pem = issued.certificate.read_bytes() + issued.key.read_bytes()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return Keys(PrivateCertificate.loadPEM(pem).options(), client)


def fuzz(seed: str, first: int, *, inputs: int, rounds: int | None) -> Counter[str]:
    """Rounds from `first` on, until there were so many inputs, or so many rounds. Raises AssertionError with what was wrong."""
    errors, happened, number = Errors(), Counter[str](), first
    with tempfile.TemporaryDirectory() as directory:
        both = keys(Path(directory))
    settled = 0
    signal.signal(signal.SIGALRM, _hangs)
    while happened["sessions"] < inputs and (rounds is None or number < first + rounds):
        signal.alarm(_LONGEST)
        try:
            happened += Round(seed, number, both).run()
        except Exception as error:
            raise AssertionError(_again(seed, number, 1) + traceback.format_exc()) from error
        number += 1
        if number % _COLLECT == 0 or rounds is not None:
            # The alarm's error may be swallowed by what it interrupts.
            faulthandler.dump_traceback_later(10 * _LONGEST, exit=True)
            gc.collect()
            settled = settled or (_rss() if happened["sessions"] >= inputs / 10 else 0)
        if errors.found:
            start = first if rounds is not None else max(first, number - _COLLECT)
            raise AssertionError(_again(seed, start, number - start) + "\n".join(errors.found))
    signal.alarm(0)
    faulthandler.cancel_dump_traceback_later()
    gc.collect()
    happened["grown"] = _rss() - settled if settled else 0
    if happened["grown"] > _GROWTH:
        raise AssertionError(_again(seed, first, number - first) + f"grown by {happened['grown']} octets")
    happened["rounds"] = number - first
    return happened


def _again(seed: str, first: int, rounds: int) -> str:
    return f"to see it again: python -m tests.proof.fuzz --seed {seed} --first {first} --rounds {rounds}\n"


def _hangs(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"a round takes longer than {_LONGEST} seconds")


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", required=True)
    arguments.add_argument("--first", type=int, default=0)
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument("--inputs", type=int, default=1 << 62)
    given = arguments.parse_args()
    began = time.monotonic()
    try:
        happened = fuzz(given.seed, given.first, inputs=given.inputs, rounds=given.rounds)
    except AssertionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({**happened, "seconds": round(time.monotonic() - began, 1)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
