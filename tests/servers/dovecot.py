"""A real Dovecot that does nothing but check logins, in a directory of its own. Needs root, as Dovecot does."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded

_CONFIG = """\
protocols =
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
default_internal_user = {user}
default_login_user = {user}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
ssl = no
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
{more}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service auth {{
  chroot =
  user = {user}
  unix_listener auth-client {{
    mode = 0666
  }}
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


# A program that fails, in checkpassword's way to say so.
_FAILING = """\
passdb {{
  driver = checkpassword
  args = {directory}/failing
}}
"""


class Dovecot:
    """The auth service listens on `socket` and on 127.0.0.1:`port`."""

    def __init__(self, directory: Path, users: str, mechanisms: str, more: str) -> None:
        self.port = free_port()
        self.socket = directory / "run" / "auth-client"
        self._directory = directory
        self._process: Guarded | None = None
        user = pwd.getpwuid(os.getuid()).pw_name
        config = _CONFIG.format(
            directory=directory, user=user, mechanisms=mechanisms, port=self.port, more=more.format(directory=directory)
        )
        (directory / "dovecot.conf").write_text(config)
        (directory / "users").write_text(users)
        (directory / "failing").write_text("#!/bin/sh\nexit 111\n")
        (directory / "failing").chmod(0o755)

    def start(self) -> None:
        """Returns when it listens."""
        command: list[str | Path] = ["/usr/sbin/dovecot", "-F", "-c", self._directory / "dovecot.conf"]
        self._process = Guarded(command, self._directory / "output")
        wait_until(lambda: self.socket.exists() and answers(self.port), seconds=30, what=self._said)

    def stop(self) -> None:
        """End it and its children; may be called more than once."""
        if self._process is not None:
            # Killed outright it would leave its children behind, who go on answering.
            os.kill(int((self._directory / "run" / "master.pid").read_text()), signal.SIGTERM)
            wait_until(lambda: not answers(self.port), seconds=30, what=self._said)
            self._process.stop()
            self._process = None

    def _said(self) -> str:
        logs = [self._directory / name for name in ("output", "log")]
        return "\n".join(log.read_text(errors="replace") for log in logs if log.exists())


@contextmanager
def running(users: str, *, mechanisms: str = "plain login", failing: bool = False) -> Iterator[Dovecot]:
    """A running one with these lines in its password file; `failing`: whoever is not let in by it is looked for where that fails."""
    # A path of a Unix socket may have 107 octets.
    directory = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        dovecot = Dovecot(directory, users, mechanisms, _FAILING if failing else "")
        dovecot.start()
        try:
            yield dovecot
        finally:
            dovecot.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
