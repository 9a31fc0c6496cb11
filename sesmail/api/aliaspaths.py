"""``/api/v1/aliases`` and the aliases below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from sesmail.aliases.addresses import alias_address, destination, domain_name
from sesmail.aliases.records import Alias
from sesmail.aliases.table import MOST_ROWS, Query
from sesmail.api.aliases import Aliases
from sesmail.api.content import PATCH, Given, answer, given, nothing, parameters
from sesmail.api.etags import etag, unchanged
from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import Wrong, wrong
from sesmail.api.resources import OnAll, OnOne
from sesmail.api.rights import Rights
from sesmail.api.shown import alias_shown
from sesmail.errors import Malformed

USUAL_ROWS = 100

_PROPERTIES = ("local", "domain", "destinations", "active", "ignore", "owner", "description")
# The most characters of each.
_PARAMETERS = {"q": 254, "domain": 255, "destination": 254, "owner": 254, "active": 5, "ignore": 5, "limit": 10, "after": 1000}
_FLAGS = {"true": True, "false": False}


class AliasPaths:
    """Implements `Resource`."""

    def __init__(self, aliases: Aliases, rights: Rights) -> None:
        self._aliases = aliases
        self._rights = rights
        self.on_all: Mapping[str, OnAll] = {"GET": self._find, "POST": self._add}
        self.on_one: Mapping[str, OnOne] = {"GET": self._read, "PATCH": self._change, "DELETE": self._remove}

    def _find(self, request: Request, caller: Caller) -> Response:
        said = _searched(request)
        page = self._aliases.find(caller, _query(said), limit=_limit(said.get("limit", "")), after=said.get("after", ""))
        shown = {"aliases": [alias_shown(one) for one in page.aliases], "after": page.after or None}
        following = urlencode({**said, "after": page.after})
        return answer(200, shown, *([("Link", f'<?{following}>; rel="next"')] if page.after else []))

    def _add(self, request: Request, caller: Caller) -> Response:
        parameters(request.query, ())
        said = given(request, _PROPERTIES)
        local, domain = _address(said.text("local"), said.text("domain"))
        there = _destinations(said) if "destinations" in said else self._rights.usual(caller)
        alias = self._aliases.add(caller, replace(Alias(local, domain, there, ""), owner=_owner(said, caller), **_rest(said)))
        place = "aliases/" + quote(alias.address, safe="@")
        return answer(201, alias_shown(alias), ("ETag", etag(alias)), ("Location", place))

    def _read(self, request: Request, caller: Caller, name: str) -> Response:
        parameters(request.query, ())
        return _shown(self._aliases.read(caller, name))

    def _change(self, request: Request, caller: Caller, name: str) -> Response:
        parameters(request.query, ())
        said = given(request, _PROPERTIES, PATCH)
        old = self._aliases.read(caller, name)
        with unchanged(request.headers, old):
            return _shown(self._aliases.change(caller, old, _changed(old, said)))

    def _remove(self, request: Request, caller: Caller, name: str) -> Response:
        parameters(request.query, ())
        old = self._aliases.read(caller, name)
        with unchanged(request.headers, old):
            self._aliases.remove(caller, old)
        return nothing()


def _shown(alias: Alias) -> Response:
    return answer(200, alias_shown(alias), ("ETag", etag(alias)))


def _searched(request: Request) -> dict[str, str]:
    """The parameters. Only an owner may be nobody."""
    said = parameters(request.query, _PARAMETERS)
    for name, value in said.items():
        if not value and name != "owner":
            raise Malformed(f"the parameter {name} is empty")
        if len(value) > _PARAMETERS[name]:
            raise Malformed(f"the parameter {name} has at most {_PARAMETERS[name]} characters")
    return said


def _query(said: Mapping[str, str]) -> Query:
    """Raises Malformed for an address or a domain that cannot be."""
    flags = {name: _flag(name, said[name]) for name in ("active", "ignore") if name in said}
    domain = domain_name(said["domain"]) if "domain" in said else None
    goal = destination(said["destination"]) if "destination" in said else None
    return Query(said.get("q", "").lower(), domain, goal, said.get("owner"), **flags)


def _flag(name: str, text: str) -> bool:
    if text not in _FLAGS:
        raise Malformed(f"the parameter {name} is true or false")
    return _FLAGS[text]


def _limit(text: str) -> int:
    if not text:
        return USUAL_ROWS
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MOST_ROWS):
        raise Malformed(f"the parameter limit is a number from 1 to {MOST_ROWS}")
    return int(text)


def _changed(old: Alias, said: Given) -> Alias:
    if not said:
        raise Wrong("", "say what is to change; known are " + ", ".join(_PROPERTIES))
    new = replace(old, owner=said.text("owner", old.owner), **_rest(said))
    if "destinations" in said:
        new = replace(new, destinations=_destinations(said))
    if "local" in said or "domain" in said:
        local, domain = _address(said.text("local", old.local), said.text("domain", old.domain))
        new = replace(new, local=local, domain=domain)
    return new


def _rest(said: Given) -> dict[str, Any]:
    """What needs no more than to be of its kind."""
    flags = {name: said.flag(name, True) for name in ("active", "ignore") if name in said}
    return {**flags, **({"description": said.text("description")} if "description" in said else {})}


def _owner(said: Given, caller: Caller) -> str:
    return said.text("owner", "" if caller.admin else caller.name)


def _address(local: str, domain: str) -> tuple[str, str]:
    with wrong("domain"):
        name = domain_name(domain)
    with wrong("local"):
        return alias_address(f"{local.strip()}@{name}")


def _destinations(said: Given) -> tuple[str, ...]:
    with wrong("destinations"):
        wanted = tuple(map(destination, said.texts("destinations", ())))
    if not wanted:
        raise Wrong("destinations", "an alias has at least one destination")
    return wanted
