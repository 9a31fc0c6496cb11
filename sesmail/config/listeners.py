"""Listeners, which every protocol has: what an entry says, and what must not be said twice or left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sesmail.config.kinds import ListOf, choice
from sesmail.config.locations import LISTEN, NETWORK, is_loopback
from sesmail.config.option import option, required
from sesmail.config.read import Reading


@dataclass(frozen=True, kw_only=True)
class Listener:
    """One port or socket on which mail programs are served."""

    endpoint: str = required(LISTEN, "Twisted endpoint: tcp:, tcp6:, unix:, systemd:, or haproxy: before one of them.")
    tls: str = option(
        choice("implicit", "starttls", "none"),
        "starttls",
        "implicit: TLS from the start; starttls: it is offered (STLS, STARTTLS); none: no TLS.",
    )
    trusted: tuple[str, ...] = option(ListOf(NETWORK), (), "Proxies that may use a haproxy: endpoint.")


def check(found: Mapping[str, Sequence[Listener]], reading: Reading) -> None:
    """Refuse endpoints that are there already, and proxies that nobody trusts; `found` are all listeners by their option."""
    seen: dict[str, str] = {}
    for key, listeners in found.items():
        for number, listener in enumerate(listeners):
            path = f"{key}[{number}]"
            if listener.endpoint in seen:
                reading.refuse(f"{path}.endpoint", f"is there already, {seen[listener.endpoint]}")
            seen.setdefault(listener.endpoint, path)
            _check_proxies(listener, path, reading)


def _check_proxies(listener: Listener, path: str, reading: Reading) -> None:
    proxied = listener.endpoint.startswith("haproxy:")
    if proxied and not listener.trusted:
        # Whoever connects to such a port may claim any address.
        reading.refuse(path, "needs trusted, the addresses of the proxies")
    if listener.trusted and not proxied:
        reading.refuse(f"{path}.trusted", "is for haproxy: endpoints only")


def refuse_plain(listeners: Sequence[Listener], key: str, why: str, reading: Reading) -> None:
    """Refuse those without TLS that other machines can reach; `why` ends the sentence."""
    for number, listener in enumerate(listeners):
        if listener.tls == "none" and is_beyond_this_machine(listener.endpoint):
            reading.refuse(f"{key}[{number}].tls", f"must be implicit: {why}")


def is_beyond_this_machine(endpoint: str) -> bool:
    """Whether others than programs and proxies of this machine, or the proxies of haproxy:, can connect. A socket of systemd counts
    as such unless it is a Unix one."""
    if endpoint.startswith(("unix:", "haproxy:")):
        return False
    if endpoint.startswith("systemd:"):
        return "domain=UNIX" not in endpoint
    found = re.search(r":interface=((?:\\.|[^:\\])*)", endpoint)
    return found is None or not is_loopback(re.sub(r"\\(.)", r"\1", found[1]))
