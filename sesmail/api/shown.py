"""How entries look in the first version of the API. In a list, too, each says what If-Match of a change takes."""

from __future__ import annotations

from datetime import UTC, datetime

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.api.etags import etag


def alias_shown(alias: Alias) -> dict[str, object]:
    return {
        "address": alias.address,
        "local": alias.local,
        "domain": alias.domain,
        "identifier": alias.identifier,
        "destinations": list(alias.destinations),
        "active": alias.active,
        "ignore": alias.ignore,
        "owner": alias.owner,
        "description": alias.description,
        "created": moment(alias.created),
        "modified": moment(alias.modified),
        "use_count": alias.use_count,
        "etag": etag(alias),
    }


def domain_shown(domain: Domain, *, catch_all: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "name": domain.name,
        "active": domain.active,
        "description": domain.description,
        "created": moment(domain.created),
        "modified": moment(domain.modified),
        "etag": etag(domain),
    }
    return shown | ({"catch_all": list(domain.catch_all)} if catch_all else {})


def destination_shown(record: DestinationRecord) -> dict[str, object]:
    return {
        "address": record.address,
        "active": record.active,
        "verified": record.verified,
        "created": moment(record.created),
        "modified": moment(record.modified),
        "etag": etag(record),
    }


def moment(seconds: int) -> str | None:
    """As RFC 3339 has it; None for 0, and for what is no time of this calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z") if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
