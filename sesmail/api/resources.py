"""What stands behind a path: which methods it knows, and how a collection is told from one of its entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar
from urllib.parse import unquote

from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import NoSuchPath, WrongMethod
from sesmail.errors import Malformed

OnAll = Callable[[Request, Caller], Response]
OnOne = Callable[[Request, Caller, str], Response]

Did = TypeVar("Did")


class Resource(Protocol):
    """A collection and its entries. What a method does raises MailErrors."""

    @property
    def on_all(self) -> Mapping[str, OnAll]:
        """By method, what is done with the collection."""

    @property
    def on_one(self) -> Mapping[str, OnOne]:
        """By method, what is done with the entry of that name."""


def asked(resource: Resource, rest: list[str], request: Request, caller: Caller) -> Response:
    """`rest` is what of the path follows the collection's name. Raises what the method raises, NoSuchPath and WrongMethod."""
    if not rest:
        return _method(resource.on_all, request)(request, caller)
    # Who serves it may have undone %2F already, and a name may have a slash.
    name = unescaped("/".join(rest))
    if not name:
        raise NoSuchPath
    return _method(resource.on_one, request)(request, caller, name)


def unescaped(text: str) -> str:
    """Without percent signs. Raises Malformed for what is no UTF-8."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Malformed("the path is no percent-encoded UTF-8") from None


def _method(known: Mapping[str, Did], request: Request) -> Did:
    did = known.get("GET" if request.method == "HEAD" else request.method)
    if did is None:
        raise WrongMethod((*known, "HEAD") if "GET" in known else tuple(known))
    return did
