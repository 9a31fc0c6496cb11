"""Debian's Postfix in the place of email-smtp.REGION.amazonaws.com, from a private folder. Needs root, as Postfix does.

It takes mail on one port with STARTTLS and on another with TLS from the start, from who has logged in, and hands everything to a sink.
A process of it that could not begin, on a machine that is busy, is tried again after a second, not after its usual minute.
It takes a bare LF for the end of a line, as Postfix 3.7 does unless it is told not to: a test of smuggling needs the most lenient.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from tests.servers import dovecot, lmtpsink
from tests.servers.certificates import Authority
from tests.servers.ports import BEGINS, answers, free_ports, wait_until
from tests.servers.process import Guarded

USERNAME, SECRET, REGION = "AKIAPOSTFIX", "some+secret+key", "us-west-1"
PASSWORD = "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"
"""What Amazon SES would derive from that secret for that region."""
REFUSED, FULL = "refused@example.net", "full@example.net"
"""Recipients that are answered with 550 5.1.1 and 452 4.2.2."""
UNWANTED = b"X-Unwanted: yes\r\n"
"""A header field for which a message is refused after its end."""
LARGEST = 4_000_000

_MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/log
maillog_file_prefixes = {root}
myhostname = email-smtp.eu-west-1.amazonaws.com
mydestination =
alias_maps =
local_recipient_maps =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
default_transport = lmtp:inet:[127.0.0.1]:{sink}
disable_dns_lookups = yes
lmtp_host_lookup = native
lmtp_line_length_limit = 0
line_length_limit = 2048
local_header_rewrite_clients =
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{dovecot}
smtpd_sasl_security_options = noanonymous
smtpd_tls_auth_only = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access texthash:{root}/config/recipients
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = encrypt
smtpd_forbid_bare_newline = no
smtpd_client_connection_count_limit = 0
smtpd_client_auth_rate_limit = 0
smtpd_error_sleep_time = 0
header_checks = regexp:{root}/config/headers
message_size_limit = {largest}
service_throttle_time = 1s
"""
_MASTER = """
{starttls} inet n - n - - smtpd
{implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {unchecked}
verify unix - - n - 1 verify
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A running one. Its certificate is for ``localhost`` and for the name of SES's endpoint; `ca_file` vouches for it."""

    starttls: int
    implicit: int
    ca_file: Path
    log: Path
    sink: lmtpsink.Sink

    def flush(self) -> None:
        """Try now what waits."""
        subprocess.run(["/usr/sbin/postqueue", "-c", str(self.log.parent / "config"), "-f"], check=True, capture_output=True)

    def wait(self, is_done: Callable[[], bool], seconds: float = 120, more: Callable[[], str] = str) -> None:
        """Until that is so, while it tries again each second what waits. `more`: what else is to be seen where it takes too long."""
        tried = time.monotonic()

        def look() -> bool:
            nonlocal tried
            if time.monotonic() - tried > 1:
                tried = time.monotonic()
                self.flush()
            return is_done()

        wait_until(look, seconds=seconds, what=lambda: self.log.read_text(errors="replace")[-6000:] + more())

    def queue_is_empty(self) -> bool:
        """Whether it is done with all mail."""
        # What is tried again goes from deferred to incoming to active, and back to deferred: one look around could miss it.
        folders = [self.log.parent / "queue" / name for name in ("deferred", "incoming", "active", "deferred")]
        return not any(path.is_file() for folder in folders for path in folder.rglob("*"))

    def said(self, pattern: str) -> list[str]:
        """What it logs about its deliveries."""
        return re.findall(pattern, self.log.read_text(errors="replace"))


@contextmanager
def running(more: str = "", services: str = "") -> Iterator[Postfix]:
    """One with an empty sink. `more` are lines of main.cf, which win over others; what they say of recipients goes for the port with
    STARTTLS alone. `services` are lines of master.cf."""
    root = Path(mkdtemp(prefix="sesmail-postfix-"))
    root.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        sink = stack.enter_context(lmtpsink.keeping())
        # Dovecot looks names up in lower case.
        logins = stack.enter_context(dovecot.running(f"{USERNAME.lower()}:{{PLAIN}}{PASSWORD}::::::\n"))
        postfix = _written(root, sink, logins.port, more, services)
        config = str(root / "config")
        subprocess.run(["/usr/sbin/postfix", "-c", config, "check"], check=True, capture_output=True)
        master = Guarded(["/usr/lib/postfix/sbin/master", "-c", config, "-d"], root / "output")
        stack.callback(_end, master, postfix)
        wait_until(lambda: answers(postfix.starttls) and answers(postfix.implicit), seconds=BEGINS, what=lambda: _said(root))
        yield postfix


def _written(root: Path, sink: lmtpsink.Sink, logins: int, more: str, services: str) -> Postfix:
    for name in ("config", "queue", "data"):
        (root / name).mkdir()
    shutil.chown(root / "data", "postfix")
    authority = Authority(root / "config")
    issued = authority.issue("localhost", "email-smtp.eu-west-1.amazonaws.com")
    starttls, implicit = free_ports(2)
    settings = {"root": root, "sink": sink.port, "dovecot": logins, "largest": LARGEST}
    main = _MAIN.format(**settings, certificate=issued.certificate, key=issued.key)
    (root / "config/main.cf").write_text(main + more)
    unchecked = "-o smtpd_recipient_restrictions=" if more else ""
    master = _MASTER.format(starttls=starttls, implicit=implicit, unchecked=unchecked) + services
    (root / "config/master.cf").write_text(master)
    (root / "config/recipients").write_text(f"{REFUSED} 550 5.1.1 no such user\n{FULL} 452 4.2.2 mailbox full\n")
    (root / "config/headers").write_text("/^X-Unwanted:/ REJECT 5.7.1 not wanted\n")
    return Postfix(starttls, implicit, authority.certificate, root / "log", sink)


def _end(master: Guarded, postfix: Postfix) -> None:
    # Its other processes end when they see that it is gone.
    master.stop()
    wait_until(lambda: not answers(postfix.starttls), seconds=30, what=lambda: "Postfix still listens")


def _said(root: Path) -> str:
    logs = [root / name for name in ("output", "log")]
    return "\n".join(log.read_text(errors="replace") for log in logs if log.exists())
