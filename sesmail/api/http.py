"""What the API is asked and what it answers, whoever serves it. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One request. `path` and `query` are as they were written, percent signs and all: the path from ``/api/`` on (or tacomail's,
    from its first ``/`` on), the query without its ``?``. Names of `headers` are in lower case; values of one name are joined by ``, ``.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Response:
    """One answer. `headers` has no Content-Length; an answer to HEAD has the `body` that GET would have."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The first value of a header, in whatever case it is written."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True)
class Caller:
    """Who asks; whoever serves the API has made sure of it.

    `name` is the account's. `admin` may do all. `signed`: AWS has checked the request's own signature, so that
    no page of somebody else's can have made a browser send it. `address`: the account's verified address, None without one.
    """

    name: str
    admin: bool = False
    signed: bool = False
    address: str | None = None
