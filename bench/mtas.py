"""The servers that messages are handed to in the benchmark, all on 127.0.0.1 with TLS from the start, and the sink behind them.

Postfix is Debian's, from a private folder, with its defaults but for what is written below. aiosmtpd keeps nothing: it is what a
server in Python costs that owes nobody anything. Postfix asks nobody for a login: one a connection would not show.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from bench import process
from tests.servers.certificates import Certificate
from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded

_MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {root}/log
maillog_file_prefixes = {root}
relayhost = [127.0.0.1]:{sink}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = {hold}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_tls_wrappermode = yes
message_size_limit = 30000000
"""
_MASTER = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_AIOSMTPD = Path(__file__).with_name("aiosmtpd_server.py")


@dataclass(frozen=True)
class Server:
    """A running server; `pid` is that of the process that all of its own descend from."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """What it and all its processes have used, those that ended included."""
        return process.cpu_seconds_of_family(self.pid)


@contextmanager
def postfix(certificate: Certificate, *, sink: int | None) -> Iterator[Server]:
    """Relays to `sink`; without one, what it accepts is only put on hold. Needs root, as Postfix does."""
    root = Path(mkdtemp(prefix="sesmail-postfix-"))
    root.chmod(0o755)
    try:
        for name in ("config", "queue", "data"):
            (root / name).mkdir()
        shutil.chown(root / "data", "postfix")
        port, config = free_port(), root / "config"
        settings = {"root": root, "sink": sink or free_port(), "hold": "" if sink else "static:hold"}
        tls = {"certificate": certificate.certificate, "key": certificate.key}
        (config / "main.cf").write_text(_MAIN.format(**settings, **tls))
        (config / "master.cf").write_text(_MASTER.format(port=port))
        subprocess.run(["/usr/sbin/postfix", "-c", config, "check"], check=True, capture_output=True)
        master = Guarded(["/usr/lib/postfix/sbin/master", "-c", config, "-d"], root / "output")
        try:
            wait_until(lambda: answers(port), seconds=30, what=master.tail)
            yield Server(port, master.pid)
        finally:
            # Its other processes end when they see that it is gone.
            master.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def aiosmtpd(certificate: Certificate) -> Iterator[Server]:
    """Accepts everything from whoever logs in and forgets it."""
    root, port = Path(mkdtemp(prefix="sesmail-aiosmtpd-")), free_port()
    command = [sys.executable, _AIOSMTPD, str(port), certificate.certificate, certificate.key]
    server = Guarded([str(word) for word in command], root / "output")
    try:
        wait_until(lambda: answers(port), seconds=30, what=server.tail)
        yield Server(port, server.pid)
    finally:
        server.stop()
        shutil.rmtree(root, ignore_errors=True)


class Sink:
    """Takes `count` messages over SMTP, throws them away and ends. On return it listens."""

    def __init__(self, port: int, count: int) -> None:
        self._process = subprocess.Popen(
            ["/usr/sbin/smtp-sink", "-4", "-u", "nobody", "-m", "500", "-M", str(count), f"127.0.0.1:{port}", "500"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: answers(port), seconds=10, what=lambda: f"smtp-sink ended with {self._process.poll()}")

    def wait(self, seconds: float) -> None:
        """Until it has all of them. Raises TimeoutExpired, and ValueError when it failed."""
        if self._process.wait(seconds):
            raise ValueError(f"smtp-sink ended with {self._process.returncode}")

    def stop(self) -> None:
        """End it, whatever it has got."""
        self._process.kill()
        self._process.communicate()
