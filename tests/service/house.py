"""A gateway that reads and sends, with people in it, as a process; and an SMTP client that says what it heard."""

from __future__ import annotations

import contextlib
import poplib
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.certificates import Authority
from tests.servers.gateway import Gateway, running
from tests.servers.ports import free_ports, wait_until
from tests.service.tls import trusting

PASSWORD = "right horse"
TOM, ANN = "tom@example.com", "ann@example.com"

# hybrid-cloud-email's own table, with another domain than that of the people above.
TABLE = """\
# adam and jack have an address each; everything else of the domain is ryan's.
/^(adam|jack)(\\+[^@]*)?@(hybrid\\.example|my\\.fqdn)$/ ${1}
/^[^@]*@hybrid\\.example$/ ryan
"""


@dataclass
class House:
    """Ports of a running gateway, and where its mail lies."""

    gateway: Gateway
    folder: Path
    authority: Path

    @property
    def starttls(self) -> int:
        return self.gateway.ports[1]

    @property
    def implicit(self) -> int:
        return self.gateway.ports[2]

    def smtp(self, user: str = TOM, password: str = PASSWORD) -> smtplib.SMTP:
        """Logged in, over STARTTLS."""
        smtp = self.connected()
        smtp.starttls(context=trusting(self.authority))
        smtp.login(user, password)
        return smtp

    def connected(self) -> smtplib.SMTP:
        """Before STARTTLS."""
        return smtplib.SMTP("localhost", self.starttls, local_hostname="laptop", timeout=60)

    def mailbox(self, user: str) -> list[bytes]:
        """The messages of a user, as POP3 gives them."""
        pop = poplib.POP3_SSL("localhost", self.gateway.ports[0], context=trusting(self.authority), timeout=60)
        pop.user(user)
        pop.pass_(PASSWORD)
        count = pop.stat()[0]
        found = [b"".join(line + b"\r\n" for line in pop.retr(number + 1)[1]) for number in range(count)]
        pop.quit()
        return found

    def wait_for_mail(self, user: str, part: bytes, seconds: float = 30) -> bytes:
        """The message with this in it, as soon as it is in the mailbox."""
        found: list[bytes] = []

        def is_there() -> bool:
            found[:] = [message for message in self.mailbox(user) if part in message]
            return bool(found)

        wait_until(is_there, seconds=seconds, what=self.gateway.log)
        return found[0]


def config(folder: Path, authority: Authority, **sections: Any) -> dict[str, Any]:
    """People: tom and ann, who have addresses; reports, adam, jack and ryan, who have none."""
    issued = authority.issue("localhost")
    (folder / "mail").mkdir(exist_ok=True)
    (folder / "table").write_text(TABLE)
    ports = free_ports(3)
    ends = [f"tcp:{port}:interface=127.0.0.1" for port in ports]
    named = [{"name": name, "password": PASSWORD, "prefix": f"{name}/"} for name in ("reports", "adam", "jack", "ryan")]
    made: dict[str, Any] = {
        "storage": {"url": (folder / "mail").as_uri()},
        "auth": {
            "checkers": ["static"],
            "users": [{"name": TOM, "password": PASSWORD}, {"name": ANN, "password": PASSWORD}, *named],
        },
        "pop3": {"listeners": [{"endpoint": ends[0], "tls": "implicit"}]},
        "submission": {
            "hostname": "mx.example.com",
            "listeners": [{"endpoint": ends[1], "tls": "starttls"}, {"endpoint": ends[2], "tls": "implicit"}],
            "check_domains": False,
            "grants": [{"account": "reports", "addresses": ["reports@example.com", "@shop.example.com"]}],
            "strike_delay": 0.05,
        },
        "relay": {"courier": "outbox", "outbox": str(folder / "outbox"), "local_domains": ["example.com"]},
        "aliases": {"map": f"pcre:{folder / 'table'}"},
        "tls": {"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]},
        "service": {"state_dir": str(folder / "state")},
    }
    for name, options in sections.items():
        made[name] = {**made.get(name, {}), **options}
    return made


@contextlib.contextmanager
def opened(folder: Path, **sections: Any) -> Iterator[House]:
    """The gateway, listening; `sections` change its configuration."""
    authority = Authority(folder)
    with running(config(folder, authority, **sections)) as gateway:
        yield House(gateway, folder, authority.certificate)


def through(endpoint: str) -> dict[str, Any]:
    """Sections for a gateway that sends through an SES of the tests' own."""
    return {
        "relay": {"courier": "ses", "retry_first": 1, "retry_longest": 1, "workers": 4},
        "ses": {
            "endpoint": endpoint,
            "region": "eu-west-1",
            "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "configuration_set": "outgoing",
            "tags": ["team=mail"],
        },
    }
