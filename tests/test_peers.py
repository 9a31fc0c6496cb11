"""Who counts as one peer."""

from __future__ import annotations

import pytest

from sesmail.peers import source


def test_an_ipv4_address_counts_by_itself() -> None:
    assert source("192.0.2.1") == "192.0.2.1"
    assert source("192.0.2.1") != source("192.0.2.2")


def test_an_ipv6_address_counts_with_its_network() -> None:
    assert source("2001:db8:1:2::1") == source("2001:DB8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert source("2001:db8:1:3::1") != source("2001:db8:1:2::1")
    assert source("fe80::1%eth0") == "fe80::/64"


def test_an_ipv4_address_in_the_form_of_ipv6_counts_as_what_it_is() -> None:
    assert source("::ffff:192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize("peer", ["", "unix", "localhost", "192.0.2", "192.0.2.1:25", "[::1]", "2001:db8::/64"])
def test_a_peer_without_an_address_counts_with_nobody(peer: str) -> None:
    assert source(peer) == ""
