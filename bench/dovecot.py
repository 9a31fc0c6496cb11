"""Debian's Dovecot over a Maildir with the benchmark's messages, for comparison: POP3 and POP3S on 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from bench import corpus
from bench.memory_s3 import PASSWORD
from tests.servers.ports import answers, free_ports, wait_until
from tests.servers.process import Guarded

_CONFIG = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
protocols = pop3
listen = 127.0.0.1
mail_location = maildir:{root}/Maildir
first_valid_uid = 0
mail_uid = {uid}
mail_gid = {gid}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
pop3_fast_size_lookups = yes
pop3_no_flag_updates = yes
mail_fsync = never
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service pop3-login {{
  chroot =
  service_count = 0
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """Ports of a running server, and its process."""

    port: int
    tls_port: int


@contextmanager
def running(count: int, certificate: Path, key: Path, *, size: str = "mail") -> Iterator[Dovecot]:
    """Serve as many messages as the in-memory S3 does, of the same sizes. Needs root, as Dovecot does."""
    root = Path(mkdtemp(prefix="sesmail-dovecot-"))
    root.chmod(0o755)  # its login processes are another user's
    port, tls_port = free_ports(2)
    try:
        _fill(root / "Maildir", count, size)
        # Dovecot opens no mail as root.
        nobody = pwd.getpwnam("nobody")
        for folder, _, files in os.walk(root):
            for name in (folder, *(os.path.join(folder, file) for file in files)):
                os.chown(name, nobody.pw_uid, nobody.pw_gid)
        config = root / "dovecot.conf"
        config.write_text(
            _CONFIG.format(
                root=root,
                uid=nobody.pw_uid,
                gid=nobody.pw_gid,
                certificate=certificate,
                key=key,
                password=PASSWORD,
                port=port,
                tls_port=tls_port,
            )
        )
        process = Guarded(["/usr/sbin/dovecot", "-F", "-c", config], root / "output")
        try:
            wait_until(lambda: answers(port) and answers(tls_port), seconds=30, what=process.tail)
            yield Dovecot(port, tls_port)
        finally:
            process.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _fill(maildir: Path, count: int, size: str) -> None:
    for folder in ("cur", "new", "tmp"):
        (maildir / folder).mkdir(parents=True)
    chance = random.Random(count)
    block = corpus.message(0, 5_000_000)
    for number in range(count):
        octets = corpus.size(chance) if size == "mail" else int(size)
        name = f"{1_700_000_000 + number}.M{number}.bench,S={octets},W={octets}:2,S"
        (maildir / "cur" / name).write_bytes(block[-octets:])
