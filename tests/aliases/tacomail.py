"""Rows as tacomail itself writes them."""

from __future__ import annotations

from typing import Any

LEGACY = "2f3c0c5e-6a59-4d7e-8f0b-0d2c5a6f7b11"


def legacy_alias(
    local: str,
    domain: str,
    *,
    destination: str = "S3",
    active: bool = True,
    ignore: bool = False,
    identifier: str = LEGACY,
    use_count: int = 1,
    **more: str,
) -> dict[str, Any]:
    """What its API makes of a new alias."""
    return {
        "sub_domain": {"S": domain},
        "alias_address": {"S": local},
        "application": {"S": "tacomail"},
        "identifier": {"S": identifier},
        "full_address": {"S": f"{local}@{domain}"},
        "destination": {"S": destination},
        "active_alias": {"BOOL": active},
        "ignore_alias": {"BOOL": ignore},
        "created_datetime": {"N": "1600000000"},
        "modified_datetime": {"N": "1600000100"},
        "use_count": {"N": str(use_count)},
        **{name: {"S": value} for name, value in more.items()},
    }
