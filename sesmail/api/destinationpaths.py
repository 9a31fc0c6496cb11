"""``/api/v1/destinations`` and the destinations below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from sesmail.aliases.addresses import destination
from sesmail.aliases.records import DestinationRecord
from sesmail.api.content import PATCH, Given, answer, given, nothing, parameters
from sesmail.api.destinations import Destinations
from sesmail.api.etags import etag, unchanged
from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import Wrong, wrong
from sesmail.api.resources import OnAll, OnOne
from sesmail.api.rights import check_admin
from sesmail.api.shown import destination_shown

_PROPERTIES = ("active", "verified")


class DestinationPaths:
    """Implements `Resource`."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations
        self.on_all: Mapping[str, OnAll] = {"GET": self._list, "POST": self._add}
        self.on_one: Mapping[str, OnOne] = {"GET": self._read, "PATCH": self._change, "DELETE": self._remove}

    def _list(self, request: Request, caller: Caller) -> Response:
        parameters(request.query, ())
        return answer(200, {"destinations": [destination_shown(one) for one in self._destinations.all(caller)]})

    def _add(self, request: Request, caller: Caller) -> Response:
        check_admin(caller)
        parameters(request.query, ())
        said = given(request, ("address", *_PROPERTIES))
        with wrong("address"):
            record = DestinationRecord(destination(said.text("address")))
        record = self._destinations.add(caller, replace(record, **_flags(said)))
        place = ("Location", "destinations/" + quote(record.address, safe="@"))
        return answer(201, destination_shown(record), ("ETag", etag(record)), place)

    def _read(self, request: Request, caller: Caller, address: str) -> Response:
        parameters(request.query, ())
        return _shown(self._destinations.read(caller, address))

    def _change(self, request: Request, caller: Caller, address: str) -> Response:
        check_admin(caller)
        parameters(request.query, ())
        said = given(request, _PROPERTIES, PATCH)
        if not said:
            raise Wrong("", "say what is to change; known are " + ", ".join(_PROPERTIES))
        old = self._destinations.read(caller, address)
        with unchanged(request.headers, old):
            return _shown(self._destinations.change(caller, old, replace(old, **_flags(said))))

    def _remove(self, request: Request, caller: Caller, address: str) -> Response:
        check_admin(caller)
        parameters(request.query, ())
        old = self._destinations.read(caller, address)
        with unchanged(request.headers, old):
            self._destinations.remove(caller, old)
        return nothing()


def _shown(record: DestinationRecord) -> Response:
    return answer(200, destination_shown(record), ("ETag", etag(record)))


def _flags(said: Given) -> dict[str, Any]:
    return {name: said.flag(name, True) for name in _PROPERTIES if name in said}
