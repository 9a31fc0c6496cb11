"""``/domain`` of tacomail-api."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from sesmail.aliases.addresses import domain_name
from sesmail.aliases.records import Domain
from sesmail.aliases.table import NoSuchRow, Taken
from sesmail.api.content import Given, members
from sesmail.api.domains import Domains
from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import ALWAYS, wrong
from sesmail.api.rights import check_admin
from sesmail.api.tacomailshown import domain_shown, refused, told

_PROPERTIES = ("domain", "description", "active")


class TacomailDomains:
    """A domain is named by itself."""

    def __init__(self, domains: Domains) -> None:
        self._domains = domains
        self.methods: Mapping[str, Callable[[Request, Caller, list[str]], Response]] = {
            "GET": self._get,
            "POST": self._post,
            "PATCH": self._patch,
        }

    def _get(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        rows, configured = self._domains.all(caller)
        if not configured:
            return refused(405, "domain", "Domain configuration not set up")
        if rest:
            rows = [one for one in rows if one.name == rest[0].lower()]
        else:
            part = dict(parse_qsl(request.query, keep_blank_values=True)).get("q", "").lower()
            rows = [one for one in rows if part in one.name]
        return told(200, [domain_shown(one) for one in rows])

    def _post(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        check_admin(caller)
        said = _said(request)
        if not said.text("domain", ""):
            return refused(418, "domain", "name a domain")
        with wrong("domain"):
            name = domain_name(said.text("domain"))
        try:
            return told(201, [domain_shown(self._domains.add(caller, _changed(Domain(name), said)))])
        except Taken:
            return refused(409, "domain", "domain exists")

    def _patch(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        check_admin(caller)
        if not rest:
            return refused(405, "domain", "must provide a property to update")
        try:
            old = self._domains.read(caller, rest[0])
        except NoSuchRow:
            return refused(405, "domain", "subdomain does not exist")
        if len(rest) > 1 and rest[1].lower() == "delete":
            self._domains.remove(caller, old)
            return Response(204, ALWAYS)
        return told(200, [domain_shown(self._domains.change(caller, old, _changed(old, _said(request))))])


def _said(request: Request) -> Given:
    said = members(request.body) if request.body else {}
    return Given({name: value for name, value in said.items() if name in _PROPERTIES}, _PROPERTIES)


def _changed(domain: Domain, said: Given) -> Domain:
    description = said.text("description", domain.description)
    return replace(domain, description=description, active=said.flag("active", domain.active))
