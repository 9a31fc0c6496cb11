"""The checker for signed tokens, which say themselves where the mail lies."""

from __future__ import annotations

import logging
from collections.abc import Callable

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from sesmail.auth import tokens
from sesmail.auth.grants import Incomplete, PlaceAt, grant
from sesmail.auth.names import Names, UnknownUser
from sesmail.credentials import IBearerToken
from sesmail.errors import BadLogin, Malformed
from sesmail.interfaces import DEMO, Account, Place

_log = logging.getLogger(__name__)


@implementer(ICredentialsChecker)
class TokenChecker:
    """A token as password or as bearer token; the user name is not looked at.

    What has the shape of a token is decided here, good or bad: it holds keys, and no other checker may see it. Any other password
    is an unknown user. `now` is Unix time. Raises ValueError for an empty secret.
    """

    credentialInterfaces = (IUsernamePassword, IBearerToken)  # noqa: N815

    def __init__(
        self, secret: str, names: Names, place_at: PlaceAt, now: Callable[[], float], *, max_age: float | None = None
    ) -> None:
        if not secret:
            raise ValueError("tokens need a secret")
        self._secret = secret
        self._names = names
        self._place_at = place_at
        self._now = now
        self._max_age = max_age

    # cred's annotations know only bytes as an avatar id; its portal hands on whatever it gets.
    def requestAvatarId(self, credentials: object) -> Deferred[Account]:  # type: ignore[override]
        if IBearerToken.providedBy(credentials):
            return execute(self._account, credentials.token)
        return execute(self._check, credentials.password)  # type: ignore[attr-defined]

    def _check(self, password: bytes) -> Account:
        if not tokens.shaped(password):
            raise UnknownUser
        return self._account(password)

    def _account(self, token: bytes) -> Account:
        try:
            claims = tokens.read(token, self._secret, self._now(), max_age=self._max_age)
            provider = tokens.provider(claims)
            place = self._place_at(grant(claims)) if provider == "s3" else DEMO if provider == "demo" else None
        except (tokens.BadToken, Incomplete) as error:
            _log.info("a token was refused: %s", error)
            raise BadLogin(cause=error) from None
        except Malformed as error:
            _log.info("a token was refused: its bucket or region is none")
            raise BadLogin(cause=error) from None
        address = self._address(claims.get("email"))
        return Account(address or _name(provider, place), address, place)

    def _address(self, email: object) -> str | None:
        """The verified address; what is not one at a served domain lets its owner read, but not send."""
        if not isinstance(email, str) or "@" not in email:
            return None
        try:
            return str(self._names.parse(email.encode("utf-8", "surrogatepass")))
        except UnknownUser:
            return None


def _name(provider: str, place: Place | None) -> str:
    return provider if place is None or place == DEMO else f"{place.store.url}/{place.prefix}"
