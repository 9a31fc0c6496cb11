"""Where another system listened, as a listener of ours."""

from __future__ import annotations

import re
import socket
from contextlib import closing, suppress
from ipaddress import ip_address

from sesmail.config.foreign.draft import Draft
from sesmail.config.foreign.settings import Given

HERE = ("localhost", "127.0.0.1", "::1")


def listen(draft: Draft, host: str, port: int, *, tls: bool, source: Given | None) -> None:
    """One listener, from which the same programs can log in as before: without TLS from everywhere."""
    listener = {"endpoint": endpoint(host, port), "tls": "implicit" if tls else "none"}
    draft.put("pop3.listeners", [listener])
    draft.came_from("pop3.listeners[0].endpoint", source)
    if not tls and host not in HERE:
        draft.put("pop3.plaintext", "always")
        draft.warn("there is no TLS, as before, and passwords cross the network unprotected: better give it a certificate")


def endpoint(host: str, port: int) -> str:
    """A Twisted endpoint for a host name or an address, ``""`` being every interface, over IPv4 and IPv6 where there is both."""
    if not host:
        return f"tcp6:{port}" if _has_ipv6() else f"tcp:{port}"
    with suppress(ValueError):
        if ip_address(host).version == 6:
            return f"tcp6:{port}:interface={host.replace(':', chr(92) + ':')}"
    return f"tcp:{port}:interface={host}"


def published(draft: Draft, given: Given | None, default: int) -> str:
    """A Twisted endpoint for a port as Compose has it, which takes an address before it."""
    host, _, port = given.text.rpartition(":") if given else ("", "", "")
    numbered = Given(given.name, port, given.where) if given else None
    return endpoint(host.strip("[]"), port_of(draft, numbered, default))


def port_of(draft: Draft, given: Given | None, default: int) -> int:
    """The port that was given. Anything but 1 to 65535 is a problem."""
    if given is None:
        return default
    if re.fullmatch(r"\d{1,5}", given.text, re.ASCII) and 0 < int(given.text) < 65536:
        return int(given.text)
    draft.refuse(given.problem("must be a number from 1 to 65535"))
    return default


def _has_ipv6() -> bool:
    with suppress(OSError), closing(socket.socket(socket.AF_INET6, socket.SOCK_STREAM)) as probe:
        probe.bind(("::", 0))
        return True
    return False
