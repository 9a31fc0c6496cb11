"""SMTP credentials are those that AWS derives."""

from __future__ import annotations

import pytest

from sesmail.aws.smtppassword import of_keys, smtp_password
from sesmail.errors import Malformed
from sesmail.interfaces import Keys

_EXAMPLE = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("secret", "region", "password"),
    [
        (_EXAMPLE, "us-east-2", "BMPPgbAHoFVbze1Ud0oA5uNdXRwUXUZ+qOwphGJbl/cS"),
        (_EXAMPLE, "us-east-1", "BLBM/9hSUELfq8Gw+rU1YcBjkOxGbhT2XG763xVLGWL9"),
        (_EXAMPLE, "eu-west-1", "BMW5RDrXmmVs0lV7GpI4oLkHXpZ4stDsk6q91z1g38Pk"),
        ("some+secret+key", "eu-central-1", "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"),
        ("another+secret+key", "eu-central-1", "BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh"),
        ("some+secret+key", "us-west-1", "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"),
        ("another+secret+key", "us-west-1", "BKVmjjMDFk/qqw8EROW99bjCS65PF8WKvK5bSr4Y6EqF"),
    ],
)
def test_the_password_is_what_aws_derives(secret: str, region: str, password: str) -> None:
    assert smtp_password(secret, region) == password


@pytest.mark.parametrize("region", ["", "EU-WEST-1", "eu west 1", "eu-west-1\n", "x" * 41])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(Malformed):
        smtp_password("secret", region)


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(Malformed):
        smtp_password("", "eu-west-1")


@pytest.mark.parametrize("keys", [Keys("AKIAEXAMPLE", "s", "token"), Keys("ASIAEXAMPLE", "s")])
def test_temporary_credentials_are_refused_with_the_way_out(keys: Keys) -> None:
    with pytest.raises(Malformed, match=r"temporary credentials.*relay\.courier: ses"):
        of_keys(keys, "eu-west-1")
    assert of_keys(Keys("AKIAEXAMPLE", "some+secret+key"), "us-west-1").startswith("BH+jb")
