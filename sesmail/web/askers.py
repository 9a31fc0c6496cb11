"""Who asks, and by which way, where a proxy may stand between; and whether a page of somebody else's made the browser ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from sesmail.peers import spelled
from sesmail.web.answers import Head

_OURS = ("same-origin", "none")


@dataclass(frozen=True)
class Asker:
    """`peer` is the address as `peers.spelled` has it; `secure`: by HTTPS; `host`: name and port by which the browser knows us."""

    peer: str
    secure: bool
    host: str


class Proxies:
    """Believes what proxies in these networks say of who asks, and what is said over a Unix socket, which only they can open."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(one) for one in networks]

    def asker(self, head: Head) -> Asker:
        """Whoever stands before the first proxy that we know. Everybody else may write what he likes."""
        if not self.trusts(head.peer):
            return Asker(head.peer, head.secure, head.header("Host") or "")
        hops = _values(head, "X-Forwarded-For")
        peer = head.peer
        while hops and self.trusts(peer):
            before = spelled(hops.pop().strip("[]"))
            if before == "unix":
                break
            peer = before
        proto, host = _values(head, "X-Forwarded-Proto"), _values(head, "X-Forwarded-Host")
        secure = head.secure if not proto else proto[-1].lower() == "https"
        return Asker(peer, secure, host[-1] if host else head.header("Host") or "")

    def trusts(self, peer: str) -> bool:
        """Whether this peer is such a proxy."""
        if peer == "unix":
            return True
        return any(ip_address(peer) in network for network in self._networks)


def is_foreign(head: Head, asker: Asker) -> bool:
    """True when a browser says that another site's page asks. Programs say nothing, and bring no cookies that they do not mean to.

    Browsers say so by Sec-Fetch-Site (https://www.w3.org/TR/fetch-metadata/), those without it by Origin (RFC 6454 section 7), at
    least with all requests that change something.
    """
    if head.headers.hasHeader(b"sec-fetch-site"):
        return head.header("Sec-Fetch-Site") not in _OURS
    if not head.headers.hasHeader(b"origin"):
        return False
    return not _is_own(head.header("Origin") or "", asker)


def _is_own(origin: str, asker: Asker) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    schemes = ("https",) if asker.secure else ("http", "https")
    return parts.scheme in schemes and bool(parts.netloc) and parts.netloc.lower() == asker.host.lower()


def _values(head: Head, name: str) -> list[str]:
    said = b",".join(head.headers.getRawHeaders(name.encode("ascii"), [])).decode("latin-1")
    return [one for part in said.split(",") if (one := part.strip())]
