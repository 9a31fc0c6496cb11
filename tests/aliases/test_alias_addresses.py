"""Addresses come into a table in one form only."""

from __future__ import annotations

import pytest

from sesmail.aliases.addresses import alias_address, destination, domain_name
from sesmail.errors import Malformed


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Shop@Example.COM", ("shop", "example.com")),
        (" shop@example.com\n", ("shop", "example.com")),
        ("shop@BÜCHER.example", ("shop", "xn--bcher-kva.example")),
        ("shop@xn--bcher-kva.example", ("shop", "xn--bcher-kva.example")),
        ("shop@straße.example", ("shop", "xn--strae-oqa.example")),
        ("o'neil+tag=x@example.com", ("o'neil+tag=x", "example.com")),
        ('"shop"@example.com', ("shop", "example.com")),
        (f"{'x' * 64}@example.com", ("x" * 64, "example.com")),
    ],
)
def test_an_address_is_kept_in_lower_case_with_a_labels(text: str, wanted: tuple[str, str]) -> None:
    assert alias_address(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop",
        "@example.com",
        "shop@",
        "shop@localhost",
        "sub_domains@tacomail-config",
        "shop@192.0.2.1",
        "shop@[192.0.2.1]",
        "shop@-a.example",
        "shop@a..example",
        "shöp@example.com",
        '"my shop"@example.com',
        "my shop@example.com",
        ".shop@example.com",
        "shop\0@example.com",
        "shop@example.com, other@example.com",
        f"{'x' * 65}@example.com",
        f"x@{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 63}",
    ],
)
def test_what_is_no_address_of_an_alias_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        alias_address(text)


def test_a_domain_is_read_like_that_of_an_address() -> None:
    assert domain_name(" Bücher.Example ") == "xn--bcher-kva.example"
    for text in ("", "localhost", "a@b.example", "a b.example"):
        with pytest.raises(Malformed):
            domain_name(text)


def test_a_destination_is_an_address_or_the_mailbox() -> None:
    assert [destination(text) for text in ("S3", "s3", " Tom@Example.net ")] == ["S3", "S3", "tom@example.net"]
    for text in ("S4", "", "|rm", "/etc/passwd"):
        with pytest.raises(Malformed):
            destination(text)
