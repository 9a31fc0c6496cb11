"""Configurations to look at, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from sesmail.cli.doctor.finding import Finding, State
from sesmail.config.load import from_text
from sesmail.config.table import Config

REGION = "eu-west-1"
KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


def config(**sections: Mapping[str, Any]) -> Config:
    """With these sections, and nothing of this machine's."""
    given = {"tls": {"self_signed": True}, **sections}
    return from_text(yaml.safe_dump({name: dict(section) for name, section in given.items()}), "test", {})


def in_bucket(endpoint: str, bucket: str = "mail-bucket", **more: Any) -> dict[str, Any]:
    """A section storage."""
    return {"url": f"s3://{bucket}", "endpoint": endpoint, "region": REGION, **KEYS, **more}


def the(findings: Iterable[Finding], about: str) -> Finding:
    """The only one about this."""
    found = [one for one in findings if about in one.about]
    assert len(found) == 1, found
    return found[0]


def bad(findings: Iterable[Finding]) -> list[Finding]:
    """Those that are wrong; each says how to mend it."""
    found = [one for one in findings if one.state is State.WRONG]
    assert all(one.mend for one in found)
    return found
