"""Who guesses passwords has to wait: by account and by address, the longer the more of his logins were refused."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface.interface import InterfaceClass

from sesmail.auth.names import Names, UnknownUser
from sesmail.auth.tokens import shaped
from sesmail.errors import BadLogin, Limited
from sesmail.interfaces import Client
from sesmail.peers import source

KEPT = 10_000
# As much later refused logins are forgotten, measured in longest waits.
_MEMORY = 12.0

# "account", "address" or "pair", and of whom.
Key = tuple[str, ...]


@dataclass
class _Count:
    refused: int = 0
    until: float = 0.0
    last: float = 0.0


@dataclass(frozen=True)
class Limits:
    """`account` and `address`: so many refused logins are free. Then one has to wait `wait` seconds, twice that after the next
    refused login, and so on up to `longest`. No `wait`: no throttle."""

    account: int = 5
    address: int = 30
    wait: float = 2.0
    longest: float = 300.0


class Attempted(Protocol):
    """See Attempt. Never raises."""

    def refused(self) -> None: ...
    def accepted(self) -> None: ...
    def undecided(self) -> None: ...


class Throttled(Protocol):
    """See Throttle. `enter` raises Unavailable, too, where that cannot be known."""

    def enter(self, account: str, peer: str) -> Attempted: ...


class Throttle:
    """Counts refused logins in bounded memory, whatever the protocol. `now` is a monotonic clock in seconds.

    A login that was good clears what its account, and its account's failures from that address, had counted; an address keeps
    what it did to others. Who logged in from an address before does not wait there for what strangers do to his account
    elsewhere. What counts as one address, `peers.source` says; peers without one (``unix``) count by account alone.
    """

    def __init__(self, limits: Limits, now: Callable[[], float], *, kept: int = KEPT) -> None:
        self._limits = limits
        self._now = now
        self._kept = kept
        self._counts: dict[str, OrderedDict[Key, _Count]] = {
            "account": OrderedDict(),
            "address": OrderedDict(),
            "pair": OrderedDict(),
        }
        self._known: OrderedDict[Key, None] = OrderedDict()

    def enter(self, account: str, peer: str) -> Attempt:
        """A login is tried. Raises Limited when it has to wait; `account` is empty where none is named.

        The attempt must be told how it ended. Past the free ones, only one is let in at a time.
        """
        counted = source(peer)
        pair = ("pair", account, counted) if account and counted else ()
        known = pair in self._known
        keys: list[Key] = [("address", counted)] if counted else []
        keys += [pair] if pair else []
        keys += [("account", account)] if account and not known else []
        attempt = Attempt(self, account, counted, keys)
        # Whether an account exists, and what it is called, is not asked here: unknown ones are counted alike.
        if not self._limits.wait:
            return attempt
        now = self._now()
        held = [self._counts[key[0]][key] for key in keys if self._fresh(key, now)]
        if any(now < count.until for count in held):
            raise Limited("too many refused logins, try again later")
        attempt.holds.update((key, self._hold(key, now)) for key in keys)
        return attempt

    def refused(self, attempt: Attempt) -> None:
        """See Attempt."""
        now = self._now()
        for key in attempt.keys:
            counts = self._counts[key[0]]
            count = counts.setdefault(key, _Count())
            counts.move_to_end(key)
            count.refused += 1
            count.last = now
            self._hold(key, now)
            while len(counts) > self._kept:
                counts.popitem(last=False)

    def accepted(self, attempt: Attempt) -> None:
        """See Attempt."""
        self.undecided(attempt)
        self._counts["account"].pop(("account", attempt.account), None)
        pair = ("pair", attempt.account, attempt.source)
        own = self._counts["pair"].pop(pair, _Count()).refused
        address = self._counts["address"].get(("address", attempt.source))
        if address is not None:
            address.refused -= min(own, address.refused)
        if attempt.account and attempt.source:
            self._known[pair] = None
            self._known.move_to_end(pair)
            while len(self._known) > self._kept:
                self._known.popitem(last=False)

    def undecided(self, attempt: Attempt) -> None:
        """See Attempt."""
        for key in attempt.keys:
            count = self._counts[key[0]].get(key)
            if count is not None and count.until == attempt.holds.get(key):
                count.until = 0.0

    def _fresh(self, key: Key, now: float) -> bool:
        """Whether there is a count; an old one is forgotten."""
        counts = self._counts[key[0]]
        count = counts.get(key)
        if count is not None and now > count.last + self._limits.longest * _MEMORY:
            del counts[key]
            return False
        return count is not None

    def _hold(self, key: Key, now: float) -> float:
        """Nobody else of this key until the time that is returned. While an attempt runs it holds the place, or a hundred at once would be
        as good as one."""
        count = self._counts[key[0]].get(key)
        free = self._limits.address if key[0] == "address" else self._limits.account
        if count is None or count.refused < free:
            return 0.0
        doublings = min(count.refused - free, 32)
        count.until = now + min(self._limits.wait * 2**doublings, self._limits.longest)
        return count.until


@dataclass(frozen=True)
class Attempt:
    """One login that was let in. Exactly one of its methods is called, at its end."""

    throttle: Throttle = field(repr=False)
    account: str
    source: str
    keys: list[Key]
    holds: dict[Key, float] = field(default_factory=dict)

    def refused(self) -> None:
        """The user is unknown or the password wrong."""
        self.throttle.refused(self)

    def accepted(self) -> None:
        """The login was good."""
        self.throttle.accepted(self)

    def undecided(self) -> None:
        """Nobody knows: something else failed. Counts nothing."""
        self.throttle.undecided(self)


class ThrottledPortal(Portal):
    """A portal that asks a throttle first. Cred's `mind` is the `Client`, whose peer counts.

    Tokens count by address alone: their user names mean nothing, and many may share one.
    """

    def __init__(self, realm: IRealm, checkers: Iterable[ICredentialsChecker], throttle: Throttled, names: Names) -> None:
        super().__init__(realm, checkers)
        self._throttle = throttle
        self._names = names

    def ask(self, checker: ICredentialsChecker) -> None:
        """From now on ask this checker, and no other. Logins that have begun go on with the one they are at."""
        self.checkers = dict.fromkeys(checker.credentialInterfaces, checker)

    def login(self, credentials: Any, mind: Client, *interfaces: InterfaceClass) -> Deferred[Any]:  # type: ignore[override]
        return Deferred.fromCoroutine(self._login(credentials, mind, interfaces))

    async def _login(self, credentials: Any, client: Client, interfaces: tuple[InterfaceClass, ...]) -> Any:
        attempt = self._throttle.enter(_account(credentials, self._names), client.peer)
        try:
            avatar = await super().login(credentials, client, *interfaces)  # type: ignore[arg-type]
        except BadLogin:
            attempt.refused()
            raise
        except BaseException:
            attempt.undecided()
            raise
        attempt.accepted()
        return avatar


def _account(credentials: Any, names: Names) -> str:
    password = getattr(credentials, "password", None)
    if password is None or shaped(password):
        return ""
    try:
        return names.complete(credentials.username)[:400]
    except UnknownUser:
        # No checker has such a user, but that must not show.
        return repr(credentials.username[:100])
