"""Give the account that has logged in what the protocol asked for: a map of interfaces to factories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from sesmail.auth.logindelay import Delayed
from sesmail.interfaces import Account, Client

# Ends a session; what it returns may be awaited (a coroutine or a Deferred) and is ready when everything is released.
Logout = Callable[[], object]
# Opens what an interface stands for. Raises the errors of sesmail.errors, and then nothing is left open.
Factory = Callable[[Account, Client], Awaitable[tuple[object, Logout]]]


@implementer(IRealm)
class Realm:
    """Raises NotImplementedError for an interface that nobody serves, Limited when that interface's delay forbids the login."""

    def __init__(
        self, factories: Mapping[InterfaceClass, Factory], delays: Mapping[InterfaceClass, Delayed] | None = None
    ) -> None:
        self._factories = dict(factories)
        self._delays = dict(delays or {})

    # cred's annotations know only bytes as an avatar id and nothing of who the mind is.
    def requestAvatar(  # type: ignore[override]
        self,
        avatarId: Account,  # noqa: N803
        mind: Client,
        *interfaces: InterfaceClass,
    ) -> Deferred[tuple[InterfaceClass, object, Logout]]:
        return Deferred.fromCoroutine(self._open(avatarId, mind, interfaces))

    async def _open(
        self, account: Account, client: Client, interfaces: tuple[InterfaceClass, ...]
    ) -> tuple[InterfaceClass, object, Logout]:
        served = next((interface for interface in interfaces if interface in self._factories), None)
        if served is None:
            raise NotImplementedError(f"no factory for {interfaces}")
        delay = self._delays.get(served)
        if delay is not None:
            delay.check(account.name)
        avatar, logout = await self._factories[served](account, client)
        if delay is not None:
            # Counted only now: a login that found the maildrop locked has not been one.
            delay.record(account.name)
        return served, avatar, _once(logout)


def _once(logout: Logout) -> Logout:
    called = False

    def leave() -> object:
        nonlocal called
        if called:
            return None
        called = True
        return logout()

    return leave
