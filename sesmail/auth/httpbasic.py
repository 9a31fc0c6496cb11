"""The checker that asks a web server: HTTP basic authentication in, keys and a place in a bucket out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import TLSVersion, optionsForClientTLS, platformTrust
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS, IResponse
from zope.interface import implementer

from sesmail.auth.grants import Incomplete, PlaceAt, grant
from sesmail.auth.names import Names, UnknownUser
from sesmail.errors import BadLogin, MailError, Malformed, Unavailable
from sesmail.interfaces import Account, Place

_log = logging.getLogger(__name__)

TIMEOUT = 10.0
REPLY_OCTETS = 64 * 1024
CONNECTIONS = 16
# Web servers drop idle connections about as soon.
IDLE = 15
# Clients try a wrong password several times in a row.
REFUSED_FOR = 10.0
REFUSED_KEPT = 10_000
WAITING_PER_USER = 8
_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Asked too soon or too late, which says nothing about the login.
_LATER = frozenset({408, 425, 429})


@implementer(ICredentialsChecker)
class HTTPChecker:
    """GET the URL with the login as HTTP basic authentication, once a login.

    200 with a JSON object that grants keys and a place lets the user in, and his name is verified by that. A time-out, a broken
    connection, 5xx, or an answer that is not to be understood: Unavailable. Any other status: BadLogin, since it does not say
    whether the user is unknown. A refused login is remembered for a few seconds, by a keyed hash; one request a user at a time.

    Whether `url` may be http:// is for the configuration to say. `trust` are the roots of https, by default the system's.
    """

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815

    def __init__(
        self,
        url: str,
        names: Names,
        place_at: PlaceAt,
        reactor: Any,
        *,
        trust: Any = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._url = url
        self._names = names
        self._place_at = place_at
        self._clock = reactor
        self._timeout = timeout
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = CONNECTIONS
        self._pool.cachedConnectionTimeout = int(IDLE)
        self._agent = Agent(reactor, _Verified(trust), connectTimeout=timeout, pool=self._pool)
        self._refused = _Refused(reactor.seconds)
        self._turns: dict[bytes, _Turn] = {}

    # cred's annotations know only bytes as an avatar id; its portal hands on whatever it gets.
    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[Account]:  # type: ignore[override]
        return Deferred.fromCoroutine(self._check(credentials.username, credentials.password))

    def close(self) -> Deferred[None]:
        """Drop the connections that are kept for later."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed

    async def _check(self, username: bytes, password: bytes) -> Account:
        name = self._names.complete(username)
        if not username or b":" in username:
            # Cannot be said in basic authentication.
            raise UnknownUser
        async with self._turn(username):
            if (username, password) in self._refused:
                raise BadLogin
            try:
                place = await self._ask(username, password)
            except BadLogin:
                self._refused.add(username, password)
                raise
        return Account(name, self._address(username), place)

    def _address(self, username: bytes) -> str | None:
        try:
            return str(self._names.parse(username))
        except UnknownUser:
            return None

    @asynccontextmanager
    async def _turn(self, username: bytes) -> AsyncIterator[None]:
        turn = self._turns.setdefault(username, _Turn())
        if turn.wanted >= WAITING_PER_USER:
            raise Unavailable(cause="too many logins of one user at once")
        turn.wanted += 1
        try:
            await turn.lock.acquire()
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[username]

    async def _ask(self, username: bytes, password: bytes) -> Place:
        asking = Deferred.fromCoroutine(self._answer(username, password))
        asking.addTimeout(self._timeout, self._clock)
        try:
            status, body = await asking
        except MailError:
            raise
        except defer.TimeoutError as error:
            raise Unavailable(cause="the web server for logins does not answer") from error
        except Exception as error:
            raise Unavailable(cause=f"the web server for logins cannot be asked: {type(error).__name__}") from error
        if status == 200:
            return self._granted(body)
        if status >= 500 or status < 200 or status in _LATER:
            raise Unavailable(cause=f"the web server for logins answered {status}")
        raise BadLogin

    async def _answer(self, username: bytes, password: bytes) -> tuple[int, bytes]:
        basic = b"Basic " + base64.b64encode(username + b":" + password)
        headers = Headers({b"authorization": [basic], b"accept": [b"application/json"], b"user-agent": [b"sesmail"]})
        url = self._url
        for _ in range(_HOPS):
            response = await self._agent.request(b"GET", url.encode("ascii"), headers)
            if response.code not in _REDIRECTS:
                return response.code, await _body(response) if response.code == 200 else self._no_body(response)
            self._no_body(response)
            url = _redirected(url, response)
        raise Unavailable(cause="the web server for logins redirects in a circle")

    def _no_body(self, response: IResponse) -> bytes:
        """Read what is short, so that the connection can be used again, and cut off what is not."""
        _body(response).addTimeout(self._timeout, self._clock).addErrback(lambda _: None)
        return b""

    def _granted(self, body: bytes) -> Place:
        try:
            reply = json.loads(body)
            if not isinstance(reply, dict):
                raise Incomplete("it is no object")
            return self._place_at(grant(reply))
        except Incomplete as error:
            raise Unavailable(cause=f"the web server for logins sent no grant: {error}") from None
        except (ValueError, RecursionError):
            raise Unavailable(cause="the web server for logins did not send JSON") from None
        except Malformed:
            raise Unavailable(cause="the web server for logins named a bucket or region that is none") from None


class _Turn:
    def __init__(self) -> None:
        self.lock = DeferredLock()
        self.wanted = 0


class _Refused:
    """Logins that were refused a moment ago. Keeps nothing from which one could be found: hashes under a key of this process."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._key = secrets.token_bytes(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __contains__(self, login: tuple[bytes, bytes]) -> bool:
        return self._now() < self._until.get(self._hash(*login), 0.0)

    def add(self, username: bytes, password: bytes) -> None:
        hashed = self._hash(username, password)
        self._until[hashed] = self._now() + REFUSED_FOR
        self._until.move_to_end(hashed)
        while len(self._until) > REFUSED_KEPT or next(iter(self._until.values())) <= self._now():
            self._until.popitem(last=False)

    def _hash(self, username: bytes, password: bytes) -> bytes:
        return hmac.digest(self._key, b"%d:%b:%b" % (len(username), username, password), hashlib.sha256)


@implementer(IPolicyForHTTPS)
class _Verified:
    def __init__(self, trust: Any) -> None:
        self._trust = trust or platformTrust()

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        return optionsForClientTLS(
            hostname.decode("ascii"), self._trust, extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2}
        )


_DONE = Failure(ResponseDone())


class _Collector(Protocol):
    """Gathers a body of bounded length."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done = done
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > REPLY_OCTETS:
            self._finish(Failure(Unavailable(cause="the web server for logins sent too much")))
            self._abort()

    def connectionLost(self, reason: Failure = _DONE) -> None:
        whole = reason.check(ResponseDone, PotentialDataLoss)
        self._finish(self._data if whole else reason)

    def _finish(self, result: bytes | Failure) -> None:
        if not self._done.called:
            self._done.callback(result)

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.stopProducing()  # type: ignore[attr-defined]


def _body(response: IResponse) -> Deferred[bytes]:
    collector: list[_Collector] = []
    done: Deferred[bytes] = Deferred(lambda _: collector[0]._abort())
    collector.append(_Collector(done))
    response.deliverBody(collector[0])
    return done


def _redirected(url: str, response: IResponse) -> str:
    location = (response.headers.getRawHeaders(b"location") or [b""])[0].decode("ascii", "replace")
    target: str = urljoin(url, location)
    was, now = urlsplit(url), urlsplit(target)
    try:
        same = (was.hostname, _port(was)) == (now.hostname, _port(now)) and was.scheme == now.scheme
    except ValueError:
        same = False
    if not location or not same or not target.isascii() or "@" in now.netloc:
        raise Unavailable(cause="the web server for logins redirects to another one, which is not followed")
    return target


def _port(parts: Any) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
