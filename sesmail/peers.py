"""Who a peer is, and who counts as one where connections or failures are counted."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


def spelled(host: str) -> str:
    """The address of a peer as it is shown and compared, an IPv4 one as such; ``unix`` for what is no address."""
    try:
        address = ip_address(host)
    except ValueError:
        return "unix"
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def source(peer: str) -> str:
    """What the peer at this address is counted with; empty for one without an address (``unix``), which cannot be told from others.

    An IPv4 address counts by itself, however it is written. An IPv6 address counts with its whole /64, which is what one customer
    gets (RFC 6177 section 2).
    """
    try:
        address = ip_address(peer)
    except ValueError:
        return ""
    plain = getattr(address, "ipv4_mapped", None) or address
    return str(plain) if isinstance(plain, IPv4Address) else str(ip_network((plain.packed, 64), strict=False))
