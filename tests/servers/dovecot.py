"""A real Dovecot that checks logins and takes mail by LMTP, in a directory of its own. Needs root, as Dovecot does."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import dovecotconfig
from tests.servers.ports import BEGINS, answers, free_port, wait_until
from tests.servers.process import Guarded

_PROGRAM = "/usr/sbin/dovecot"
# Mail may belong to anybody but root.
_OWNER = "nobody"


class Dovecot:
    """The auth service listens on `socket` and on 127.0.0.1:`port`. One that receives takes mail for its users on `lmtp_socket` and on
    `lmtp_port`, and has it in Maildirs."""

    def __init__(self, directory: Path, users: str, mechanisms: str, *, failing: bool = False, receiving: bool = False) -> None:
        self.port = free_port()
        self.lmtp_port = free_port()
        self.socket = directory / "run" / "auth-client"
        self.lmtp_socket = directory / "run" / "lmtp"
        self._receiving = receiving
        self._directory = directory
        self._process: Guarded | None = None
        config = dovecotconfig.written(
            subprocess.run([_PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout,
            failing=failing,
            receiving=receiving,
            directory=directory,
            user=pwd.getpwuid(os.getuid()).pw_name,
            mechanisms=mechanisms,
            port=self.port,
            lmtp_port=self.lmtp_port,
            owner=_OWNER,
            group=_group(),
        )
        (directory / "dovecot.conf").write_text(config)
        (directory / "users").write_text(users)
        (directory / "mail").mkdir()
        shutil.chown(directory / "mail", _OWNER, _group())

    def start(self) -> None:
        """Returns when it listens."""
        command: list[str | Path] = [_PROGRAM, "-F", "-c", self._directory / "dovecot.conf"]
        self._process = Guarded(command, self._directory / "output")
        ports = [self.port, self.lmtp_port] if self._receiving else [self.port]
        wait_until(lambda: self.socket.exists() and all(map(answers, ports)), seconds=BEGINS, what=self._said)

    def maildir(self, user: str) -> Path:
        """Where the mail of a user lies, once there is some."""
        return self._directory / "mail" / user

    def mail(self, user: str) -> list[bytes]:
        """All mail of a user, as it was delivered, in no order."""
        return [path.read_bytes() for folder in ("new", "cur") for path in (self.maildir(user) / folder).glob("*")]

    def run(self, *command: str) -> str:
        """What ``doveadm`` says to this."""
        program = ["/usr/bin/doveadm", "-c", str(self._directory / "dovecot.conf"), *command]
        return subprocess.run(program, check=True, capture_output=True, text=True, timeout=30).stdout

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


def _group() -> str:
    return grp.getgrgid(pwd.getpwnam(_OWNER).pw_gid).gr_name


@contextmanager
def running(
    users: str, *, mechanisms: str = "plain login", failing: bool = False, receiving: bool = False
) -> Iterator[Dovecot]:
    """A running one with these lines in its password file; `failing`: whoever is not let in by it is looked for where that fails;
    `receiving`: it takes mail for them, too."""
    # A path of a Unix socket may have 107 octets.
    directory = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        dovecot = Dovecot(directory, users, mechanisms, failing=failing, receiving=receiving)
        dovecot.start()
        try:
            yield dovecot
        finally:
            dovecot.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
