"""``/alias`` of tacomail-api."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from sesmail.aliases.addresses import alias_address, destination
from sesmail.aliases.records import Alias
from sesmail.aliases.table import MOST_ROWS, NoSuchRow, Query, Taken
from sesmail.api.aliases import Aliases
from sesmail.api.content import Given, members
from sesmail.api.domains import Domains
from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import ALWAYS, wrong
from sesmail.api.tacomailshown import alias_shown, refused, told
from sesmail.errors import Malformed, Refused

MOST_FOUND = 5000
"""The most aliases of an answer, which must fit into the 6 MB that a function may answer with; a search that finds more is refused."""

_ACTIONS: Mapping[str, Mapping[str, Any]] = {
    "activate": {"active": True, "ignore": False},
    "deactivate": {"active": False},
    "ignore": {"ignore": True},
}
_PARAMETERS = frozenset({"alias", "q", "destination", "active", "ignore"})
_PROPERTIES = ("alias", "domain", "destination", "active", "ignore")
_REQUIRED = _PROPERTIES[:3]
_MISSING = "alias does not exist."
_BAD_DOMAIN = "domain is either inactive or invalid"


class TacomailAliases:
    """An alias is named by its identifier, of which its index may not yet know when it has just been made."""

    def __init__(self, aliases: Aliases, domains: Domains) -> None:
        self._aliases = aliases
        self._domains = domains
        self.methods: Mapping[str, Callable[[Request, Caller, list[str]], Response]] = {
            "GET": self._get,
            "POST": self._post,
            "PATCH": self._patch,
        }

    def _get(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        if not rest:
            return self._search(request, caller)
        if len(rest) == 2:
            return self._act(request, caller, *rest)
        return told(200, [alias_shown(self._aliases.read(caller, rest[0]))])

    def _search(self, request: Request, caller: Caller) -> Response:
        said = {name: value for name, value in parse_qsl(request.query, keep_blank_values=True) if name in _PARAMETERS}
        if not said:
            return refused(418, "alias", "say what to search for: " + ", ".join(sorted(_PARAMETERS)))
        if "alias" in said:
            return told(200, [alias_shown(self._aliases.read(caller, _whole(said["alias"])))])
        found = self._all(caller, _query(said))
        return told(200, [alias_shown(one) for one in found]) if found else refused(405, "alias", _MISSING)

    def _all(self, caller: Caller, query: Query) -> list[Alias]:
        found: list[Alias] = []
        after = ""
        while True:
            page = self._aliases.find(caller, query, limit=MOST_ROWS, after=after)
            found += page.aliases
            if len(found) > MOST_FOUND:
                raise Malformed(f"this finds more than {MOST_FOUND} aliases, search for a longer part of the address")
            if not page.after:
                return found
            after = page.after

    def _act(self, request: Request, caller: Caller, name: str, action: str) -> Response:
        if action != "count" and action not in _ACTIONS:
            return refused(418, "alias", "known are " + ", ".join([*_ACTIONS, "count"]))
        if request.method != "GET" or not caller.signed:
            # A browser follows such a link by itself, for whoever made it.
            raise Refused("a change by GET must be signed")
        old = self._aliases.read(caller, name)
        if action == "count":
            self._aliases.count(old)
            return Response(204, ALWAYS)
        return told(200, [alias_shown(self._aliases.change(caller, old, replace(old, **_ACTIONS[action])))])

    def _post(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        said = _said(request)
        for name in _REQUIRED:
            if name not in said:
                return refused(400, "alias", f"missing required property: {name}")
        local, domain = _address(said.text("alias"), said.text("domain"))
        if not self._domains.takes_aliases(domain):
            return refused(400, "alias", _BAD_DOMAIN)
        owner = "" if caller.admin else caller.name
        alias = Alias(local, domain, _destinations(said), "", owner=owner, use_count=1)
        try:
            return told(201, [alias_shown(self._aliases.add(caller, alias))])
        except Taken:
            raise Taken("Alias could not be added.") from None

    def _patch(self, request: Request, caller: Caller, rest: list[str]) -> Response:
        said = _said(request)
        if not rest or not any(name in said for name in _PROPERTIES):
            return refused(405, "alias", "must provide a property to update")
        old = self._aliases.read(caller, rest[0])
        new = replace(old, active=said.flag("active", old.active), ignore=said.flag("ignore", old.ignore))
        if "destination" in said:
            new = replace(new, destinations=_destinations(said))
        if "alias" in said or "domain" in said:
            local, domain = _address(said.text("alias", old.local), said.text("domain", old.domain))
            new = replace(new, local=local, domain=domain)
        if new.domain != old.domain and not self._domains.takes_aliases(new.domain):
            return refused(405, "alias", _BAD_DOMAIN)
        return told(200, [alias_shown(self._aliases.change(caller, old, new))])


def _said(request: Request) -> Given:
    """What is not known is passed over, as there."""
    said = members(request.body) if request.body else {}
    return Given({name: value for name, value in said.items() if name in _PROPERTIES}, _PROPERTIES)


def _whole(text: str) -> str:
    """Without its domain it is no address, and is not taken for an identifier either."""
    if "@" not in text:
        raise NoSuchRow(_MISSING)
    return _plus(text)


def _query(said: Mapping[str, str]) -> Query:
    flags: dict[str, Any] = {name: said[name].lower() == "true" for name in ("active", "ignore") if name in said}
    goal = destination(_plus(said["destination"])) if "destination" in said else None
    return Query(_plus(said.get("q", "")).lower(), destination=goal, **flags)


def _plus(text: str) -> str:
    # Its frontend does not encode what people search for, and no address has a space.
    return text.strip().replace(" ", "+")


def _address(local: str, domain: str) -> tuple[str, str]:
    with wrong("alias"):
        return alias_address(f"{local.strip()}@{domain.strip()}")


def _destinations(said: Given) -> tuple[str, ...]:
    with wrong("destination"):
        return (destination(said.text("destination")),)
