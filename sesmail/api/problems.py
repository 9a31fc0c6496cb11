"""What can be wrong with a request, and the one place that says which status it gets (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from sesmail.aliases.table import Changed, NoSuchRow, Taken
from sesmail.api.http import Response
from sesmail.errors import BadLogin, Limited, MailError, Malformed, NoSuchMailbox, NoSuchMessage, Refused, TooLarge

CONTENT_TYPE = "application/problem+json"

ALWAYS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
"""Headers of every answer: they are one caller's own, and no browser is to guess what they are."""


LATER = ("Retry-After", "5")
"""When to try again what may work later, in seconds (RFC 9110 section 10.2.3)."""


class NoSuchPath(NoSuchMailbox):
    """The API has nothing of this name."""

    default = "there is nothing here; see /api/v1/openapi.yaml"


class WrongMethod(Refused):
    """There is something of this name, which knows other methods."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__("only " + ", ".join(allowed) + " can be asked here")
        self.allowed = allowed


class NotJson(Malformed):
    """The body is not said to be JSON. What a form of another page can send is never taken for it."""

    default = "send JSON, and say so: Content-Type: application/json"


class Stale(Refused):
    """The entry is not the one that If-Match names."""

    default = "this entry has changed since you read it; read it again, then change it"


class Wrong(Malformed):
    """A property has a value that cannot be; `name` is the property's, ``""`` where it may be several."""

    def __init__(self, name: str, public: str) -> None:
        super().__init__(public)
        self.name = name


class Denied(Refused):
    """A value that this caller may not give to a property; `name` is the property's."""

    def __init__(self, name: str, public: str) -> None:
        super().__init__(public)
        self.name = name


@contextmanager
def wrong(name: str = "") -> Iterator[None]:
    """What is malformed within it is so in this property. Raises Wrong."""
    try:
        yield
    except Wrong:
        raise
    except Malformed as error:
        raise Wrong(name, error.public) from None


# RFC 9110 section 15.5; Python's own phrases differ from version to version.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
# The first that fits counts.
_STATUSES: tuple[tuple[type[MailError], int], ...] = (
    (WrongMethod, 405),
    (NoSuchRow, 404),
    (Taken, 409),
    (Changed, 409),
    (Stale, 412),
    (NotJson, 415),
    (Wrong, 422),
    (BadLogin, 401),
    (Refused, 403),
    (TooLarge, 413),
    (Malformed, 400),
    (NoSuchMailbox, 404),
    (NoSuchMessage, 404),
    (Limited, 429),
)


def status(error: MailError) -> int:
    """The status that says what kind of failure it is; 503 for what may work later."""
    return next((code for kind, code in _STATUSES if isinstance(error, kind)), 503)


def problem(error: MailError) -> Response:
    """The failure as problem details."""
    code = status(error)
    said: dict[str, object] = {"title": _PHRASES.get(code, HTTPStatus(code).phrase), "status": code, "detail": error.public}
    if isinstance(error, Wrong | Denied) and error.name:
        said["errors"] = [{"pointer": f"#/{error.name}", "detail": error.public}]
    headers: tuple[tuple[str, str], ...] = (("Content-Type", CONTENT_TYPE), *ALWAYS)
    if isinstance(error, WrongMethod):
        headers += (("Allow", ", ".join(error.allowed)),)
    if code in (429, 503):
        headers += (LATER,)
    return Response(code, headers, json.dumps(said).encode())


def our_fault() -> Response:
    """For a bug of ours: it says nothing of what went wrong."""
    said = {"title": "Internal Server Error", "status": 500, "detail": "something went wrong here, try again later"}
    return Response(500, (("Content-Type", CONTENT_TYPE), *ALWAYS), json.dumps(said).encode())
