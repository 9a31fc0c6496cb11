"""How entries and errors look in the words of tacomail-api."""

from __future__ import annotations

import json

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.api.content import JSON
from sesmail.api.http import Response
from sesmail.api.problems import ALWAYS, LATER


def alias_shown(alias: Alias) -> dict[str, object]:
    """`destination` is the first one: there is one in that API."""
    return {
        "alias": alias.local,
        "domain": alias.domain,
        "fullEmailAddress": alias.address,
        "destination": alias.destinations[0] if alias.destinations else "",
        "active": alias.active,
        "ignore": alias.ignore,
        "uuid": alias.identifier,
        "count": alias.use_count,
        "created": alias.created,
        "modified": alias.modified,
    }


def domain_shown(domain: Domain) -> dict[str, object]:
    return {
        "subdomain": domain.name,
        "description": domain.description,
        "active": domain.active,
        "created_datetime": domain.created,
        "modified_datetime": domain.modified,
    }


def destination_shown(record: DestinationRecord) -> dict[str, object]:
    """`destinationId` is the address, which names it in paths."""
    return {"destinationId": record.address, "destination": record.address, "active": record.active}


def told(status: int, value: object, *headers: tuple[str, str]) -> Response:
    return Response(status, (("Content-Type", JSON), *ALWAYS, *headers), json.dumps(value).encode())


def refused(status: int, kind: str, message: str) -> Response:
    return told(status, {"code": status, "type": kind, "message": message}, *([LATER] if status == 429 else []))
