"""What there is behind the page's door: its files, the session of a visitor, his mailbox, and the API."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sesmail.api.http import Caller, Request, Response
from sesmail.errors import BadLogin, Malformed
from sesmail.interfaces import Account
from sesmail.web.answers import Answer, Head
from sesmail.web.askers import Asker
from sesmail.web.assets import Asset
from sesmail.web.problems import json_answer, problem
from sesmail.web.sessions import Session
from sesmail.web.visitors import Visitors

LOGIN_OCTETS = 16 * 1024
"""Octets of the longest login: tokens come as passwords."""
_NOT_PASSED_ON = (b"authorization", b"cookie")


class Place(Protocol):
    """One path, or all below one."""

    @property
    def methods(self) -> tuple[str, ...]:
        """What it may be asked; anything where this is empty."""

    def refusal(self, head: Head, asker: Asker) -> Answer | None:
        """See answers.Door."""

    async def answer(self, head: Head, asker: Asker, body: bytes) -> Answer:
        """See answers.Door; raises errors of sesmail.errors besides."""


class FilePlace:
    """A file of the page, for everybody."""

    methods = ("GET", "HEAD")

    def __init__(self, asset: Asset) -> None:
        self._asset = asset

    def refusal(self, head: Head, asker: Asker) -> Answer | None:
        return None

    async def answer(self, head: Head, asker: Asker, body: bytes) -> Answer:
        return self._asset.answer(head)


@dataclass
class SessionPlace:
    """Logging in (POST, a JSON object with `user` and `password`), looking who one is (GET), and logging out (DELETE).

    `login(user, password, asker)` raises BadLogin, Limited, Unavailable. `about` is said to every visitor besides.
    """

    visitors: Visitors
    login: Callable[[str, str, Asker], Awaitable[Account]]
    about: Mapping[str, object]
    methods = ("GET", "HEAD", "POST", "DELETE")

    def refusal(self, head: Head, asker: Asker) -> Answer | None:
        if head.method != "POST":
            return self.visitors.doubt(head, asker)
        if (head.header("Content-Type") or "").partition(";")[0].strip().lower() != "application/json":
            # No form of another site's can send this type.
            return problem(415, "a login is application/json")
        if head.length is None or head.length > LOGIN_OCTETS:
            return problem(413, f"a login has at most {LOGIN_OCTETS} octets, and says how many")
        return self.visitors.foreign(head, asker)

    async def answer(self, head: Head, asker: Asker, body: bytes) -> Answer:
        if head.method == "POST":
            return await self._begin(head, asker, body)
        if head.method == "DELETE":
            self._end(head, asker)
            return Answer(204, (self.visitors.no_cookie(asker),))
        session = self.visitors.session(head, asker)
        if session is None:
            raise BadLogin("nobody is logged in")
        return json_answer(self._said(session))

    async def _begin(self, head: Head, asker: Asker, body: bytes) -> Answer:
        user, password = _login(body)
        account = await self.login(user, password, asker)
        # Whatever id the browser had before, somebody else may know it.
        self._end(head, asker)
        id, session = self.visitors.sessions.begin(account)
        return json_answer(self._said(session), (self.visitors.cookie(id, asker),))

    def _end(self, head: Head, asker: Asker) -> None:
        if id := self.visitors.id(head, asker):
            self.visitors.sessions.end(id)

    def _said(self, session: Session) -> dict[str, object]:
        account = session.account
        admin = self.visitors.is_admin(account)
        return {"user": account.name, "address": account.address, "admin": admin, "csrf": session.csrf, **self.about}


@dataclass
class MailboxPlace:
    """The visitor's mailbox in figures. `summary(account, asker)` gives them, and raises Unavailable and Limited."""

    visitors: Visitors
    summary: Callable[[Account, Asker], Awaitable[Mapping[str, object]]]
    methods = ("GET", "HEAD")

    def refusal(self, head: Head, asker: Asker) -> Answer | None:
        if self.visitors.session(head, asker) is None:
            return problem(401, "log in first")
        return self.visitors.doubt(head, asker)

    async def answer(self, head: Head, asker: Asker, body: bytes) -> Answer:
        session = self.visitors.session(head, asker)
        if session is None:
            raise BadLogin("log in first")
        return json_answer(await self.summary(session.account, asker))


@dataclass
class ApiPlace:
    """The API, for visitors and programs with a token."""

    visitors: Visitors
    respond: Callable[[Request, Caller], Awaitable[Response]]
    before: str
    """What of the path the API does not see."""
    methods = ()

    def refusal(self, head: Head, asker: Asker) -> Answer | None:
        return self.visitors.refusal(head, asker)

    async def answer(self, head: Head, asker: Asker, body: bytes) -> Answer:
        caller = self.visitors.caller(head, asker)
        request = Request(head.method, head.path[len(self.before) :], head.query, _headers(head), body)
        response = await self.respond(request, caller)
        return Answer(response.status, response.headers, body=response.body)


def _login(body: bytes) -> tuple[str, str]:
    try:
        said = json.loads(body)
        user, password = said["user"], said["password"]
        if isinstance(user, str) and isinstance(password, str):
            # A lone half of a surrogate pair is no text.
            f"{user}{password}".encode()
            return user, password
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    raise Malformed("a login is a JSON object with the texts user and password")


def _headers(head: Head) -> dict[str, str]:
    """Of all but what says who asks, which is known by now."""
    return {
        name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
        for name, values in head.headers.getAllRawHeaders()
        if name.lower() not in _NOT_PASSED_ON
    }
