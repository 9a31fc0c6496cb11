"""A gateway's two doors as a mail program is told of them: host, port, how TLS begins, which authority to trust."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.clients.stores import DOMAIN, PASSWORD, Store
from tests.servers import gateway
from tests.servers.certificates import Authority, Certificate
from tests.servers.ports import free_ports


@dataclass(frozen=True)
class Door:
    """One way in, for one account. `implicit`: POP3S, else STLS."""

    host: str
    port: int
    implicit: bool
    authority: Path
    user: str = f"nobody@{DOMAIN}"
    password: str = PASSWORD

    def of(self, user: str) -> Door:
        """The same door for another account of the domain."""
        return replace(self, user=f"{user}@{DOMAIN}")


@dataclass(frozen=True)
class Doors:
    """Both doors of one gateway."""

    pop3s: Door
    stls: Door

    def __getitem__(self, name: str) -> Door:
        return {"pop3s": self.pop3s, "stls": self.stls}[name]


@contextmanager
def opened(store: Store, authority: Authority, certificate: Certificate) -> Iterator[Doors]:
    """A gateway process over this store, with a certificate for some host name; clients connect to ``localhost``."""
    ports = free_ports(2)
    with gateway.running(_config(store, certificate, ports)):
        pop3s = Door("localhost", ports[0], True, authority.certificate)
        yield Doors(pop3s, replace(pop3s, port=ports[1], implicit=False))


def _config(store: Store, certificate: Certificate, ports: list[int]) -> dict[str, Any]:
    ends = [f"tcp:{port}:interface=127.0.0.1" for port in ports]
    return {
        "storage": store.storage(),
        "pop3": {
            "listeners": [{"endpoint": ends[0], "tls": "implicit"}, {"endpoint": ends[1], "tls": "starttls"}],
            "plaintext": "never",
        },
        "tls": {"certificates": [{"certificate": str(certificate.certificate), "key": str(certificate.key)}]},
    }
