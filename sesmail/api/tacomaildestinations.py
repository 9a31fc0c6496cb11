"""``/destination`` of tacomail-api, which describes it but does not answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from sesmail.aliases.addresses import destination
from sesmail.aliases.records import DestinationRecord
from sesmail.api.content import Given, members
from sesmail.api.destinations import Destinations
from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import wrong
from sesmail.api.rights import check_admin
from sesmail.api.tacomailshown import destination_shown, refused, told

_PROPERTIES = ("destination", "active")


class TacomailDestinations:
    """A destination is named by its address, which does not change."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations
        self.methods: Mapping[str, Callable[[Request, Caller, list[str]], Response]] = {
            "GET": self._get,
            "POST": self._post,
            "PATCH": self._patch,
        }

    def _get(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        if rest:
            return told(200, [destination_shown(self._destinations.read(caller, rest[0]))])
        said = dict(parse_qsl(request.query, keep_blank_values=True))
        rows = [one for one in self._destinations.all(caller) if said.get("q", "").lower() in one.address]
        if "active" in said:
            rows = [one for one in rows if one.active == (said["active"].lower() == "true")]
        return told(200, [destination_shown(one) for one in rows])

    def _post(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        check_admin(caller)
        said = _said(request)
        with wrong("destination"):
            address = destination(said.text("destination"))
        record = DestinationRecord(address, active=said.flag("active", True))
        return told(201, [destination_shown(self._destinations.add(caller, record))])

    def _patch(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        check_admin(caller)
        said = _said(request)
        if not rest or "active" not in said:
            return refused(405, "destination", "must provide a property to update")
        old = self._destinations.read(caller, rest[0])
        return told(
            200, [destination_shown(self._destinations.change(caller, old, replace(old, active=said.flag("active", True))))]
        )


def _said(request: Request) -> Given:
    said = members(request.body) if request.body else {}
    return Given({name: value for name, value in said.items() if name in _PROPERTIES}, _PROPERTIES)
