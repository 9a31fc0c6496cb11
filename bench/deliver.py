"""How long `sesmail deliver` takes from start to exit, beside a running gateway and without one.

    python -m bench.deliver [--runs 50]

Prints the median and the worst of the runs and the median of their CPU in milliseconds, beside an interpreter that does nothing. Messages go into a directory.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.servers.gateway import running
from tests.servers.ports import wait_until

_ROOT = Path(__file__).parents[1]
_USER = "user@host.example"
_MAIL = b"Received: by mx id %d; Wed, 18 Nov 2026 12:00:00 +0000\nSubject: hello\n\n" + b"x" * 76 * 50 + b"\n"


def _timed(command: Sequence[str], runs: int) -> str:
    took, cost = [], []
    for number in range(runs):
        began, before = time.perf_counter(), _cpu()
        subprocess.run(command, input=_MAIL % number, env={**os.environ, "PYTHONPATH": str(_ROOT)}, check=True, timeout=60)
        took.append(1000 * (time.perf_counter() - began))
        cost.append(1000 * (_cpu() - before))
    return f"{statistics.median(took):7.1f} median {max(took):7.1f} worst {statistics.median(cost):7.1f} CPU"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(runs: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mail").mkdir()
        socket = folder / "socket"
        config = {
            "storage": {"url": (folder / "mail").as_uri()},
            "pop3": {"listeners": []},
            "lmtp": {"listeners": [{"endpoint": f"unix:{socket}"}]},
            "deliver": {"mailboxes": [{"address": _USER}]},
        }
        alone = folder / "alone.yaml"
        alone.write_text(yaml.safe_dump({**config, "lmtp": {}}))
        program = folder / "sesmail-deliver"
        program.write_text("import sys\nfrom sesmail.cli.deliver import main\nsys.exit(main())\n")
        deliver = [sys.executable, str(program), "-a", _USER]
        with running(config) as gateway:
            wait_until(socket.is_socket, seconds=30, what=gateway.log)
            print("nothing at all           ", _timed([sys.executable, "-c", ""], runs))
            print("by the gateway, --socket ", _timed([*deliver, "--socket", str(socket)], runs))
            print("by the gateway, --config ", _timed([*deliver, "--config", str(gateway.config_file)], runs))
            print("by itself                ", _timed([*deliver, "--config", str(alone)], max(1, runs // 5)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    _measure(parser.parse_args().runs)
