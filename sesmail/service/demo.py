"""The embedded default with something in it: a folder with sample mail, one account, and the configuration to serve both."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sesmail.auth.hashes import legacy
from sesmail.service.demo_mail import samples
from sesmail.storage.directory import DirectoryStore

DOMAIN = "example.com"
LOCAL = "demo"
PASSWORD = "demo"  # noqa: S105 -- printed on the screen, for sample mail that only this machine can reach

_MAILBOX = f"mailboxes/{DOMAIN}/{LOCAL}/"
_PASSWD = f"mailboxes/{DOMAIN}/passwd.txt"

_CONFIG = """\
# Written by `sesmail demo`, which keeps what is here. sesmail.yaml in the documentation explains every option.
storage:
  url: {url}
mailboxes:
  domains: [{domain}]
  default_domain: {domain}
pop3:
  listeners:
    - endpoint: tcp:{port}:interface=127.0.0.1
      tls: starttls
    - endpoint: tcp:{tls_port}:interface=127.0.0.1
      tls: implicit
submission:
  listeners:
    - endpoint: tcp:{submission_port}:interface=127.0.0.1
      tls: starttls
    - endpoint: tcp:{submission_tls_port}:interface=127.0.0.1
      tls: implicit
  check_domains: false
relay:
  courier: outbox
  outbox: {outbox}
  local_domains: [{domain}]
aliases:
  table: sqlite
page:
  listeners:
    - endpoint: tcp:{page_port}:interface=127.0.0.1
      tls: none
  admins: [{local}@{domain}]
tls:
  self_signed: true
service:
  state_dir: {state}
"""


@dataclass(frozen=True)
class Demo:
    """A demo in `folder`, an absolute path."""

    folder: Path
    port: int = 2110
    tls_port: int = 2995
    submission_port: int = 2587
    submission_tls_port: int = 2465
    page_port: int = 8080

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "sesmail.yaml"

    @property
    def certificate(self) -> Path:
        """The self-signed certificate, once the service has been started."""
        return self.folder / "state" / "self-signed.crt"

    @property
    def outbox(self) -> Path:
        """Where mail to other domains goes, a file for each message."""
        return self.folder / "outbox"

    def prepare(self) -> None:
        """Make what is missing. Mail that was deleted stays deleted, and a password that was changed stays changed."""
        root = self.folder / "mail"
        if not root.exists():
            root.mkdir(parents=True)
            fill(root)
        text = _CONFIG.format(
            url=root.as_uri(),
            domain=DOMAIN,
            local=LOCAL,
            port=self.port,
            tls_port=self.tls_port,
            submission_port=self.submission_port,
            submission_tls_port=self.submission_tls_port,
            page_port=self.page_port,
            outbox=_quoted(self.outbox),
            state=_quoted(self.folder / "state"),
        )
        self.config.write_text(text, encoding="utf-8")


def _quoted(path: Path) -> str:
    # JSON's strings are YAML's: a folder may be called anything.
    return json.dumps(str(path))


def fill(root: Path) -> None:
    """Put the account and its mail into the store at `root`, an empty directory."""
    store = DirectoryStore(root)
    store.put(_PASSWD, f"{LOCAL}:{legacy(LOCAL, PASSWORD.encode())}\r\n".encode())
    for sample in samples():
        store.put(_MAILBOX + sample.name, sample.data)
        seconds = sample.arrived.timestamp()
        os.utime(root / _MAILBOX / sample.name, (seconds, seconds))
