"""The page and the API put together from the configuration: listeners of their own, and logins that are those of the mail protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from twisted.application.service import MultiService
from twisted.cred.credentials import UsernamePassword
from twisted.cred.portal import Portal
from zope.interface import Interface

from sesmail.api.http import Caller, Request, Response
from sesmail.api.respond import Api
from sesmail.api.tacomail import PATHS
from sesmail.assembly.accounts import AccountOf
from sesmail.assembly.aliasapi import administrators, programs
from sesmail.auth.realm import Logout
from sesmail.config.table import Config
from sesmail.errors import MailError
from sesmail.interfaces import Account, Client
from sesmail.log import fate
from sesmail.protocols.limits import Connections
from sesmail.protocols.login import LOGINS
from sesmail.service.certificates import CertificateStore
from sesmail.service.listeners import Endpoints, Listener, listener
from sesmail.service.summaries import Summaries
from sesmail.service.workers import Workers
from sesmail.web.askers import Asker, Proxies
from sesmail.web.assets import read
from sesmail.web.pagedoor import HEADERS, PageDoor
from sesmail.web.places import ApiPlace, FilePlace, MailboxPlace, Place, SessionPlace
from sesmail.web.sessions import Sessions
from sesmail.web.site import Site
from sesmail.web.visitors import Visitors

# Requests to the API: they wait for a disk, or for DynamoDB.
WORKERS, WAITING = 8, 256


class IVisitor(Interface):
    """What is asked of the portal for a visitor of the page: the Account itself."""


async def visitor(account: Account, client: Client) -> tuple[Account, Logout]:
    """See realm.Factory. Nothing is opened, and nothing need be closed."""
    return account, lambda: None


@dataclass(frozen=True)
class Browser:
    """See interfaces.Client: there is no session behind a request."""

    peer: str
    protocol: str

    def quiet_for(self) -> float:
        return 0.0

    def has_marks(self) -> bool:
        return False


class PageService(MultiService):
    """The workers of the API. As a service it must be running while the door is used."""

    def __init__(
        self, config: Config, reactor: Any, portal: Portal, summaries: Summaries, api: Api | None, account: AccountOf
    ) -> None:
        super().__init__()
        self._named = account
        self._portal = portal
        self._summaries = summaries
        self._workers = Workers(reactor, "aliases", WORKERS, WAITING)
        self._workers.setServiceParent(self)
        self.proxies = Proxies(config.page.proxies)
        self.door = self._door(config, reactor, api)

    def _door(self, config: Config, reactor: Any, api: Api | None) -> PageDoor:
        given = config.page
        sessions = Sessions(reactor.seconds, idle=given.idle, lifetime=given.lifetime)
        bearer = None if given.token_secret is None else programs(config, self._named)
        visitors = Visitors(sessions, base=given.base, admins=administrators(config), bearer=bearer)
        about = {"base": given.base, "aliases": api is not None}
        places: dict[str, Place] = {path: FilePlace(asset) for path, asset in read(files("sesmail.web") / "page").items()}
        places["session"] = SessionPlace(visitors, self._log_in, about)
        places["mailbox"] = MailboxPlace(visitors, self._summary)
        if api is not None:
            place = ApiPlace(visitors, self._in_worker(api), given.base)
            places |= dict.fromkeys(("api/", *_tacomail(config)), place)
        return PageDoor(places, self.proxies, base=given.base)

    async def _log_in(self, user: str, password: str, asker: Asker) -> Account:
        client = Browser(asker.peer, "https" if asker.secure else "http")
        try:
            credentials = UsernamePassword(user.encode(), password.encode())
            account = await self._account(credentials, client)
        except MailError as error:
            LOGINS.add(client.protocol, type(error).__name__)
            fate("login-refused", user=user, peer=client.peer, protocol=client.protocol, reason=type(error).__name__)
            raise
        LOGINS.add(client.protocol, "good")
        fate("login", user=account.name, peer=client.peer, protocol=client.protocol)
        return account

    async def _account(self, credentials: UsernamePassword, client: Browser) -> Account:
        # cred's annotations know nothing of who the mind is, nor of what an avatar may be.
        portal: Any = self._portal
        _, account, _ = await portal.login(credentials, client, IVisitor)
        return account  # type: ignore[no-any-return]

    async def _summary(self, account: Account, asker: Asker) -> Mapping[str, object]:
        return await self._summaries.of(account)

    def _in_worker(self, api: Api) -> Callable[[Request, Caller], Awaitable[Response]]:
        async def respond(request: Request, caller: Caller) -> Response:
            return await self._workers.run(api.respond, request, caller)

        return respond


def _tacomail(config: Config) -> Iterator[str]:
    for name in PATHS if config.page.tacomail else ():
        yield from (name, f"{name}/")


class Counted:
    """Counts connections by address, those of `proxies` in all alone."""

    def __init__(self, connections: Connections, behind: Connections, proxies: Proxies) -> None:
        self._connections = connections
        self._behind = behind
        self._proxies = proxies

    def enter(self, peer: str) -> bool:
        """See Connections."""
        return self._of(peer).enter(peer)

    def leave(self, peer: str) -> None:
        """See Connections."""
        self._of(peer).leave(peer)

    def _of(self, peer: str) -> Connections:
        return self._behind if self._proxies.trusts(peer) else self._connections


def page_doors(
    config: Config, reactor: Any, page: PageService, store: CertificateStore | None, endpoints: Endpoints | None = None
) -> Iterator[tuple[Listener, Site]]:
    """Every listener of section page; they share limits of their own, as large as those of the mail protocols. `endpoints`: see
    Listener. Raises BadEndpoint."""
    most = config.limits.connections
    by_address = Connections(most, config.limits.connections_per_address)
    counted = Counted(by_address, Connections(most, most), page.proxies)
    for one in config.page.listeners:
        site = Site(page.door, counted, clock=reactor, headers=HEADERS)
        # Who can open a Unix socket may say who asks.
        yield listener("page.listeners", one, site, reactor, store, mode="660", endpoints=endpoints), site
