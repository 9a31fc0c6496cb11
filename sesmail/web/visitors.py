"""Who a visitor is: by the cookie that the page's login has given him, or by the token of a program."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection

from sesmail.api.http import Caller
from sesmail.errors import BadLogin
from sesmail.interfaces import Account
from sesmail.web.answers import Answer, Head
from sesmail.web.askers import Asker, is_foreign
from sesmail.web.problems import of, problem
from sesmail.web.sessions import Session, Sessions

READING = ("GET", "HEAD", "OPTIONS")
_FOREIGN = problem(403, "another site's page has asked for this")
_NOBODY = problem(401, "log in first")
_UNMEANT = problem(403, "the header X-CSRF-Token must have what the login has answered")


class Visitors:
    """Knows sessions by their cookie. `base` is the path of the page, `admins` the accounts that may do all. `bearer` reads the token
    of a program, and raises BadLogin."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        base: str = "",
        admins: Collection[str] = (),
        bearer: Callable[[str], Caller] | None = None,
    ) -> None:
        self.sessions = sessions
        self._base = base
        self._admins = frozenset(admins)
        self._bearer = bearer

    def is_admin(self, account: Account) -> bool:
        """Whether the account may do all."""
        return account.name in self._admins

    def refusal(self, head: Head, asker: Asker) -> Answer | None:
        """The answer for who is nobody, or was made to ask; None for a visitor."""
        try:
            self.caller(head, asker)
        except BadLogin as error:
            return of(error) if _token(head) else _NOBODY
        return None if _token(head) is not None else self.doubt(head, asker)

    def doubt(self, head: Head, asker: Asker) -> Answer | None:
        """The answer for what the visitor himself may not have meant, whose browser sends his cookie in any case."""
        if (foreign := self.foreign(head, asker)) is not None:
            return foreign
        session = self.session(head, asker)
        if session is None or head.method in READING:
            return None
        given = (head.header("X-CSRF-Token") or "").encode("latin-1")
        return None if hmac.compare_digest(given, session.csrf.encode()) else _UNMEANT

    def foreign(self, head: Head, asker: Asker) -> Answer | None:
        """The answer for what another site's page has made a browser ask."""
        return _FOREIGN if is_foreign(head, asker) else None

    def caller(self, head: Head, asker: Asker) -> Caller:
        """The visitor as the API has him. Raises BadLogin for nobody."""
        token = _token(head)
        if token is not None:
            if self._bearer is None:
                raise BadLogin("tokens are not taken here")
            return self._bearer(token)
        session = self.session(head, asker)
        if session is None:
            raise BadLogin
        account = session.account
        return Caller(account.name, admin=self.is_admin(account), address=account.address)

    def session(self, head: Head, asker: Asker) -> Session | None:
        """The session of the visitor's cookie."""
        id = self.id(head, asker)
        return self.sessions.find(id) if id else None

    def id(self, head: Head, asker: Asker) -> str | None:
        """What the cookie says; None where there is none, or more than one: then somebody else has put one there."""
        found = [value for key, value in _cookies(head) if key == self._name(asker)]
        return found[0] if len(found) == 1 else None

    def cookie(self, id: str, asker: Asker, *, more: str = "") -> tuple[str, str]:
        """The header that gives a browser its cookie, which it sends to the page alone, and which no script sees."""
        secure = "; Secure" if asker.secure else ""
        return "Set-Cookie", f"{self._name(asker)}={id}; Path={self._base}/; HttpOnly; SameSite=Strict{secure}{more}"

    def no_cookie(self, asker: Asker) -> tuple[str, str]:
        """The header that takes it away."""
        return self.cookie("", asker, more="; Max-Age=0")

    def _name(self, asker: Asker) -> str:
        # The prefixes let no other host, and no page without TLS, put a cookie there (RFC 6265bis section 4.1.3).
        prefix = "" if not asker.secure else "__Secure-" if self._base else "__Host-"
        return f"{prefix}sesmail"


def _token(head: Head) -> str | None:
    """The token of a program; None without one. What else the header may say is for a proxy that asks for passwords of its own."""
    scheme, _, token = (head.header("Authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _cookies(head: Head) -> list[tuple[str, str]]:
    said = b";".join(head.headers.getRawHeaders(b"cookie", [])).decode("latin-1")
    pairs = (one.partition("=") for one in said.split(";"))
    return [(key.strip(), value.strip()) for key, _, value in pairs]
