"""``/api/v1/domains`` and the domains below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from sesmail.aliases.addresses import destination, domain_name
from sesmail.aliases.records import Domain
from sesmail.api.content import PATCH, Given, answer, given, nothing, parameters
from sesmail.api.domains import Domains
from sesmail.api.etags import etag, unchanged
from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import Wrong, wrong
from sesmail.api.resources import OnAll, OnOne
from sesmail.api.rights import check_admin
from sesmail.api.shown import domain_shown

_PROPERTIES = ("active", "description", "catch_all")


class DomainPaths:
    """Implements `Resource`."""

    def __init__(self, domains: Domains) -> None:
        self._domains = domains
        self.on_all: Mapping[str, OnAll] = {"GET": self._list, "POST": self._add}
        self.on_one: Mapping[str, OnOne] = {"GET": self._read, "PATCH": self._change, "DELETE": self._remove}

    def _list(self, request: Request, caller: Caller) -> Response:
        parameters(request.query, ())
        rows, configured = self._domains.all(caller)
        return answer(200, {"domains": [domain_shown(one, catch_all=caller.admin) for one in rows], "configured": configured})

    def _add(self, request: Request, caller: Caller) -> Response:
        check_admin(caller)
        parameters(request.query, ())
        said = given(request, ("name", *_PROPERTIES))
        domain = self._domains.add(caller, replace(Domain(_name(said)), **_rest(said)))
        place = ("Location", "domains/" + quote(domain.name, safe=""))
        return answer(201, domain_shown(domain, catch_all=caller.admin), ("ETag", etag(domain)), place)

    def _read(self, request: Request, caller: Caller, name: str) -> Response:
        parameters(request.query, ())
        return _shown(self._domains.read(caller, name), caller)

    def _change(self, request: Request, caller: Caller, name: str) -> Response:
        check_admin(caller)
        parameters(request.query, ())
        said = given(request, _PROPERTIES, PATCH)
        if not said:
            raise Wrong("", "say what is to change; known are " + ", ".join(_PROPERTIES))
        old = self._domains.read(caller, name)
        with unchanged(request.headers, old):
            return _shown(self._domains.change(caller, old, replace(old, **_rest(said))), caller)

    def _remove(self, request: Request, caller: Caller, name: str) -> Response:
        check_admin(caller)
        parameters(request.query, ())
        old = self._domains.read(caller, name)
        with unchanged(request.headers, old):
            self._domains.remove(caller, old)
        return nothing()


def _shown(domain: Domain, caller: Caller) -> Response:
    return answer(200, domain_shown(domain, catch_all=caller.admin), ("ETag", etag(domain)))


def _name(said: Given) -> str:
    with wrong("name"):
        return domain_name(said.text("name"))


def _rest(said: Given) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    if "active" in said:
        rest["active"] = said.flag("active", True)
    if "description" in said:
        rest["description"] = said.text("description")
    if "catch_all" in said:
        rest["catch_all"] = _catch_all(said)
    return rest


def _catch_all(said: Given) -> tuple[str, ...]:
    with wrong("catch_all"):
        return tuple(map(destination, said.texts("catch_all", ())))
