"""Bodies and queries: read strictly, so that a misspelt name is an error and not a request for something else."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import parse_qsl

from sesmail.api.http import Request, Response
from sesmail.api.problems import ALWAYS, NotJson, Wrong
from sesmail.errors import Malformed, TooLarge

OCTETS = 64 * 1024
"""The longest body that is read."""

JSON = "application/json"
PATCH = (JSON, "application/merge-patch+json")
"""What a change may come as: RFC 7396, which for entries like ours is JSON with what is to be changed."""


def answer(status: int, value: object, *headers: tuple[str, str]) -> Response:
    """A value as JSON."""
    return Response(status, (("Content-Type", JSON), *ALWAYS, *headers), json.dumps(value).encode())


def nothing() -> Response:
    """It is done, and there is nothing to say."""
    return Response(204, ALWAYS)


class Given:
    """The properties of a body, by name and kind. Every method raises Wrong for a value of another kind."""

    def __init__(self, properties: Mapping[str, object], known: Collection[str]) -> None:
        """Raises Wrong for a property that is not known."""
        for name in properties:
            if name not in known:
                raise Wrong(_pointer(name), f"there is no property of this name here; known are {', '.join(sorted(known))}")
        self._properties = properties

    def __contains__(self, name: str) -> bool:
        return name in self._properties

    def __len__(self) -> int:
        return len(self._properties)

    def text(self, name: str, default: str | None = None) -> str:
        """Without a default it must be there."""
        value = self._properties.get(name, default)
        if not isinstance(value, str):
            raise Wrong(name, f"{name} is a text" if name in self else f"{name} is missing")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._properties.get(name, default)
        if not isinstance(value, bool):
            raise Wrong(name, f"{name} is true or false")
        return value

    def texts(self, name: str, default: Sequence[str]) -> tuple[str, ...]:
        value = self._properties.get(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise Wrong(name, f"{name} is a list of texts")
        return tuple(value)


def given(request: Request, known: Collection[str], types: Collection[str] = (JSON,)) -> Given:
    """The properties of the body. Raises NotJson, TooLarge, Malformed, Wrong."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in types:
        raise NotJson
    return Given(members(request.body), known)


def members(body: bytes) -> Mapping[str, object]:
    """The members of a JSON object. Raises TooLarge, and Malformed for anything else and for names that come twice."""
    if len(body) > OCTETS:
        raise TooLarge(f"a body has at most {OCTETS} octets")
    try:
        read = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Malformed("the body is no JSON, or a name is in it twice") from None
    if not isinstance(read, dict):
        raise Malformed("the body is no JSON object")
    return read


def parameters(query: str, known: Collection[str]) -> dict[str, str]:
    """What the query says. Raises Malformed for what is not known, or comes twice."""
    found: dict[str, str] = {}
    for name, value in _pairs(query):
        if name not in known:
            raise Malformed("this parameter is not known; known are: " + (", ".join(sorted(known)) or "none"))
        if name in found:
            raise Malformed(f"the parameter {name} is there twice")
        found[name] = value
    return found


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=50)
    except ValueError:
        raise Malformed("the query has the form name=value&name=value, percent-encoded UTF-8") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _no_number(constant: str) -> None:
    raise ValueError(constant)


def _pointer(name: str) -> str:
    """A name as it stands in a JSON Pointer (RFC 6901 section 3), cut, with what cannot be sent replaced."""
    clean = name[:100].encode("utf-8", "replace").decode()
    return clean.replace("~", "~0").replace("/", "~1")
