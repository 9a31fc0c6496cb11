"""The gateway itself as people run it: `twistd -n sesmail --config FILE`, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.servers.ports import BEGINS, answers, wait_until

_ROOT = Path(__file__).parents[2]
_TCP = re.compile(r"\btcp:(?:port=)?(\d+)")


class Gateway:
    """A running gateway. `ports` are those of its listeners, POP3 first, then submission, then the page."""

    def __init__(self, directory: Path, config: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.config_file = directory / "sesmail.yaml"
        self._log = directory / "log"
        self.configure(config)
        self.ports = _ports(config)
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [_twistd(), "-n", "--pidfile=", "sesmail", "--config", self.config_file],
                cwd=directory,
                env={**os.environ, "PYTHONPATH": str(_ROOT), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the configuration file, which a running gateway reads again when it is told to."""
        self.config_file.write_text(yaml.safe_dump(dict(config)))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """The exit status (negative: the signal that ended it), None while it runs."""
        return self._process.poll()

    def log(self) -> str:
        """All that it has written so far."""
        return self._log.read_text(errors="replace")

    def wait_until_it_listens(self, seconds: float = BEGINS) -> None:
        """Raises TimeoutError, or ChildProcessError when it ended instead, with its log."""
        wait_until(self._listens_or_ended, seconds=seconds, what=self.log)
        if self.ended is not None:
            raise ChildProcessError(f"exit status {self.ended}\n{self.log()}")

    def wait_until_it_ends(self, seconds: float = 30) -> int:
        """Its exit status. Raises TimeoutExpired."""
        return self._process.wait(seconds)

    def wait_for_log(self, pattern: str, seconds: float = 10) -> re.Match[str]:
        """Until a line that matches was logged; returns the first match."""
        wait_until(lambda: bool(re.search(pattern, self.log())), seconds=seconds, what=self.log)
        found = re.search(pattern, self.log())
        assert found is not None
        return found

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, seconds: float = 60) -> int:
        """End it as an init system does, and return its exit status. Raises TimeoutExpired when it does not end."""
        self._process.terminate()
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self._process.wait()

    def _listens_or_ended(self) -> bool:
        # Asked last: a port takes connections before the reactor runs, and many of one address would then be refused at once.
        return self.ended is not None or (self._heeds_signals() and all(answers(port) for port in self.ports))

    def _heeds_signals(self) -> bool:
        # Until the reactor runs, SIGTERM and SIGHUP still kill.
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) & 1 << (signal.SIGTERM - 1))


@contextmanager
def running(config: Mapping[str, Any], *, environment: Mapping[str, str] = {}) -> Iterator[Gateway]:
    """A gateway with this configuration, listening. Otherwise as `started`."""
    with started(config, environment=environment) as gateway:
        gateway.wait_until_it_listens()
        yield gateway


@contextmanager
def started(config: Mapping[str, Any], *, environment: Mapping[str, str] = {}) -> Iterator[Gateway]:
    """A gateway that has just been started; killed at the end unless it has ended before.

    `environment` is added to ours. Without a `service.state_dir` it gets one that goes away with it, and without the sections
    `submission` and `page` it has no such doors: two gateways cannot both have the ports of the embedded default.
    """
    with tempfile.TemporaryDirectory(prefix="sesmail-gateway-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        service = {"state_dir": str(directory / "state"), **config.get("service", {})}
        closed: dict[str, list[str]] = {"listeners": []}
        gateway = Gateway(directory, {"submission": closed, "page": closed, **config, "service": service}, environment)
        try:
            yield gateway
        finally:
            if gateway.ended is None:
                gateway.kill()


def _twistd() -> Path:
    """Debian's own has another name."""
    folder = Path(sys.executable).parent
    return next(path for name in ("twistd", "twistd3") if (path := folder / name).exists())


def _ports(config: Mapping[str, Any]) -> list[int]:
    listeners = [one for section in ("pop3", "submission", "page") for one in config.get(section, {}).get("listeners", [])]
    found = [_TCP.search(listener["endpoint"]) for listener in listeners]
    return [int(match[1]) for match in found if match]
