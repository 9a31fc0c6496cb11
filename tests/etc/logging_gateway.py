"""A gateway whose log lies in a file, as text or JSON, as it is written for people or for the journal; and the journal made of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.servers.ports import BEGINS, answers, free_ports, wait_until

_ROOT = Path(__file__).parents[2]
# systemd says what its journal is; here it is the file that standard output goes to.
_INTO_JOURNAL = 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"'


@dataclass
class Logging:
    """A running gateway with POP3, submission and the page, on 127.0.0.1 and without TLS but for submission."""

    pop3: int
    submission: int
    page: int
    file: Path

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines()

    def wait_for(self, count: int, part: str) -> None:
        """Until this many lines have that in them."""
        wait_until(lambda: sum(part in line for line in self.lines()) >= count, seconds=10, what=self.file.read_text)


@contextmanager
def logging_gateway(folder: Path, *, format: str, journal: bool, workers: int = 1) -> Iterator[Logging]:
    """It throttles nobody."""
    ports = free_ports(3)
    (folder / "sesmail.yaml").touch(0o600)
    (folder / "sesmail.yaml").write_text(yaml.safe_dump(_config(folder, ports, format, workers)))
    command = [str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile=", "sesmail", "--config", "sesmail.yaml"]
    if journal:
        command = ["sh", "-c", _INTO_JOURNAL, "sh", *command]
    log = folder / "log"
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or all(map(answers, ports)), seconds=BEGINS, what=log.read_text)
        assert process.poll() is None, log.read_text()
        yield Logging(ports[0], ports[1], ports[2], log)
    finally:
        process.kill()
        process.wait()


def _config(folder: Path, ports: list[int], format: str, workers: int) -> Mapping[str, Any]:
    pop3, submission, page = (f"tcp:{port}:interface=127.0.0.1" for port in ports)
    return {
        "auth": {
            "users": [{"name": "tom@example.com", "password": "right horse"}],
            "checkers": ["static"],
            "throttle_wait": 0,
        },
        "pop3": {"listeners": [{"endpoint": pop3, "tls": "none"}], "strikes": 100, "strike_delay": 0},
        "submission": {"listeners": [{"endpoint": submission, "tls": "starttls"}], "strike_delay": 0},
        "page": {"listeners": [{"endpoint": page, "tls": "none"}]},
        "service": {"state_dir": str(folder / "state"), "workers": workers},
        "log": {"format": format},
    }


def journal(folder: Path, lines: Mapping[str, list[str]]) -> Path:
    """A file of the journal with the lines of these units, as systemd takes them from a service's output."""
    now = time.time_ns() // 1000
    entries = [entry(line, unit, now + number) for unit in lines for number, line in enumerate(lines[unit])]
    made = folder / "made.journal"
    writer = ["/lib/systemd/systemd-journal-remote", "--split-mode=none", f"--output={made}", "-"]
    subprocess.run(writer, input="".join(entries), text=True, check=True, capture_output=True)
    return made


def entry(line: str, unit: str, when: int) -> str:
    """In the form in which journals are exported; `when` is in microseconds."""
    priority, _, message = line.removeprefix("<").partition(">")
    identity = "0123456789abcdef" * 2
    fields = {
        "__REALTIME_TIMESTAMP": when,
        "__MONOTONIC_TIMESTAMP": when,
        "_BOOT_ID": identity,
        "_MACHINE_ID": identity,
        "_HOSTNAME": "mail",
        "_PID": 109,
        "_SYSTEMD_UNIT": unit,
        "_SYSTEMD_SLICE": "system-sesmail.slice" if unit.startswith("sesmail@") else "system.slice",
        "SYSLOG_IDENTIFIER": "sesmail",
        "PRIORITY": priority,
        "MESSAGE": message,
    }
    return "".join(f"{name}={value}\n" for name, value in fields.items()) + "\n"
