"""The checker that asks Dovecot's auth service, by its client protocol (version 1, PLAIN alone)."""

from __future__ import annotations

import base64
import logging
import secrets
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from sesmail.auth.names import Name, Names
from sesmail.auth.passwd import PlaceOf
from sesmail.errors import BadLogin, MailError, NoSuchMailbox, Unavailable
from sesmail.interfaces import Account

_log = logging.getLogger(__name__)

# Dovecot holds a refusal back for 2 seconds, and under attack for up to 15.
TIMEOUT = 25.0
PENDING = 1000
# A Dovecot that was told to read its configuration again keeps its old self for the connections that it has.
CONNECTED = 60.0
# Dovecot reads lines of up to 8192 octets.
_LONGEST = 6000
# No process has such an id.
_FIRST_NUMBER = 1 << 30
_ESCAPES = {"0": "\0", "1": "\1", "t": "\t", "r": "\r", "n": "\n"}

Reply = tuple[str, list[str]]


@implementer(ICredentialsChecker)
class DovecotChecker:
    """Asks over one connection, which is made when it is first needed and again when it was lost.

    Dovecot is given the name with the default domain where it has none, and says what the user is called; mail lies where `place_of` says. It does not say whether a refused user is unknown, so
    that is a BadLogin. A temporary failure of its own, a time-out and a lost connection are Unavailable.
    """

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        names: Names,
        place_of: PlaceOf,
        clock: Any,
        *,
        service: str = "pop3",
        timeout: float = TIMEOUT,
    ) -> None:
        self._endpoint = endpoint
        self._names = names
        self._place_of = place_of
        self._clock = clock
        self._service = service
        self._timeout = timeout
        self._connection: AuthClient | None = None
        self._since = 0.0
        self._connecting: list[Deferred[AuthClient]] | None = None

    # cred's annotations know only bytes as an avatar id; its portal hands on whatever it gets.
    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[Account]:  # type: ignore[override]
        return Deferred.fromCoroutine(self._check(credentials.username, credentials.password))

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.abort()

    async def _check(self, username: bytes, password: bytes) -> Account:
        typed = self._names.user(username)
        if b"\0" in password or len(password) > _LONGEST:
            # In PLAIN a NUL would begin another field.
            raise BadLogin
        word, fields = await self._within_time(str(typed).encode(), password)
        flags = {field.partition("=")[0] for field in fields}
        if word == "FAIL" and ("temp" in flags or "code=temp_fail" in fields):
            raise Unavailable(cause="Dovecot could not check a login")
        if word != "OK" or flags & {"nologin", "proxy"}:
            raise BadLogin
        name = self._called(fields, typed)
        try:
            return Account(str(name), name.address, self._place_of(name.local, name.domain))
        except NoSuchMailbox as error:
            raise Unavailable(cause=error) from error

    def _called(self, fields: list[str], typed: Name) -> Name:
        called = next((field[5:] for field in fields if field.startswith("user=")), None)
        return typed if called is None else self._names.user(called.encode())

    async def _within_time(self, username: bytes, password: bytes) -> Reply:
        before = self._connection
        heard = before.heard if before is not None else 0
        asking = Deferred.fromCoroutine(self._ask(b"\0".join((b"", username, password))))
        asking.addTimeout(self._timeout, self._clock)
        try:
            return await asking
        except MailError:
            raise
        except DeferredTimeout as error:
            if before is not None and before.heard == heard:
                # All is quiet, not only this login: perhaps the connection is dead and nobody said so.
                before.abort()
            raise Unavailable(cause="Dovecot does not answer") from error
        except Exception as error:
            raise Unavailable(cause=f"Dovecot cannot be asked: {type(error).__name__}: {error}") from error

    async def _ask(self, response: bytes) -> Reply:
        connection = await self._connected()
        return await connection.ask(self._service, response)

    async def _connected(self) -> AuthClient:
        if self._connection is not None and self._connection.ready:
            if self._clock.seconds() - self._since < CONNECTED:
                return self._connection
            self._connection.retire()
        mine: Deferred[AuthClient] = Deferred(self._gave_up)
        if self._connecting is None:
            self._connecting = [mine]
            Deferred.fromCoroutine(self._connect()).addBoth(self._tell)
        else:
            self._connecting.append(mine)
        return await mine

    def _gave_up(self, waiting: Deferred[AuthClient]) -> None:
        if self._connecting is not None:
            self._connecting.remove(waiting)

    async def _connect(self) -> AuthClient:
        connecting = Deferred.fromCoroutine(self._shaken_hands())
        connecting.addTimeout(self._timeout, self._clock)
        return await connecting

    async def _shaken_hands(self) -> AuthClient:
        client: AuthClient = await self._endpoint.connect(_AuthClients())  # type: ignore[assignment]
        self._connection, self._since = client, self._clock.seconds()
        await client.shaken
        return client

    def _tell(self, result: AuthClient | Failure) -> None:
        waiting, self._connecting = self._connecting or [], None
        if isinstance(result, Failure) and self._connection is not None and not self._connection.ready:
            self._connection.abort()
        for one in waiting:
            one.callback(result)


class AuthClient(LineOnlyReceiver):
    """One connection to the auth service: a handshake, then requests with numbers, answered in any order."""

    delimiter = b"\n"
    MAX_LENGTH = 16 * 1024

    def __init__(self) -> None:
        self.shaken: Deferred[None] = Deferred(lambda _: self.abort())
        self.ready = False
        self._retired = False
        self.heard = 0
        """Lines that have come."""
        self._mechanisms: set[str] = set()
        self._waiting: dict[int, Deferred[Reply]] = {}
        self._number = 0

    def connectionMade(self) -> None:
        self._say("VERSION", "1", "1")
        # A process id, in name: it must differ from those of all other clients, which may live in other containers.
        self._say("CPID", str(_FIRST_NUMBER + secrets.randbelow(_FIRST_NUMBER)))

    def ask(self, service: str, response: bytes) -> Deferred[Reply]:
        """PLAIN with this initial response. Raises Unavailable when too many wait, ConnectionLost."""
        if len(self._waiting) >= PENDING:
            raise Unavailable(cause="too many logins wait for Dovecot")
        self._number = self._number % 0x7FFFFFFF + 1
        number = self._number
        answer: Deferred[Reply] = Deferred(lambda _: self._forget(number))
        self._waiting[number] = answer
        # The transport is ours to judge. Without "nologin" Dovecot would wait for a process to take the user over; and it would
        # count the wrong passwords of all our clients as one's, and make everybody wait for them.
        flags = (f"service={service}", "secured", "nologin", "no-penalty")
        self._say("AUTH", str(number), "PLAIN", *flags, "resp=" + base64.b64encode(response).decode())
        return answer

    def lineReceived(self, line: bytes) -> None:
        word, *fields = [_unescaped(field) for field in line.decode("utf-8", "replace").split("\t")]
        self.heard += 1
        if word == "VERSION" and fields[:1] != ["1"]:
            self.abort()
        elif word == "MECH":
            self._mechanisms.update(fields[:1])
        elif word == "DONE":
            self._shake()
        elif word in ("OK", "FAIL", "CONT") and fields and fields[0].isdigit():
            waiting = self._waiting.pop(int(fields[0]), None)
            if waiting is not None:
                waiting.callback((word, fields[1:]))
            if self._retired:
                self.retire()

    def _shake(self) -> None:
        if "PLAIN" not in self._mechanisms:
            _log.warning("Dovecot does not offer PLAIN, which its auth_mechanisms must name")
            self.abort()
            return
        self.ready = True
        if not self.shaken.called:
            self.shaken.callback(None)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ready = False
        waiting, self._waiting = self._waiting, {}
        if not self.shaken.called:
            self.shaken.errback(ConnectionLost())
        for one in waiting.values():
            one.errback(ConnectionLost())

    def retire(self) -> None:
        """Drop the connection as soon as nobody waits."""
        self.ready, self._retired = False, True
        if not self._waiting:
            self.abort()

    def abort(self) -> None:
        """Drop the connection; whoever waits hears of it."""
        self.ready = False
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def _forget(self, number: int) -> None:
        self._waiting.pop(number, None)
        if self._retired:
            self.retire()

    def _say(self, *fields: str) -> None:
        self.sendLine("\t".join(fields).encode())


class _AuthClients(Factory):
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> AuthClient:
        return AuthClient()


def _unescaped(field: str) -> str:
    if "\1" not in field:
        return field
    begin, *parts = field.split("\1")
    # After a split at each \1, an escaped \1 is the digit 1.
    return begin + "".join(_ESCAPES.get(part[:1], part[:1]) + part[1:] for part in parts)
