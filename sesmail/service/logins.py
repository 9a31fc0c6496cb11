"""The auth room put together from the configuration: a portal whose realm opens maildrops."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IReactorTime
from twisted.mail.pop3 import IMailbox

from sesmail.auth.chain import FirstOf
from sesmail.auth.domains import Load
from sesmail.auth.logindelay import LoginDelay
from sesmail.auth.names import Names, fold
from sesmail.auth.plugins import Tools, checkers
from sesmail.auth.realm import Factory, Logout, Realm
from sesmail.auth.static import StaticUser
from sesmail.config.table import Config, User
from sesmail.interfaces import Account, Client
from sesmail.protocols.pop3.mailbox import PopMailbox
from sesmail.service.maildrops import parts
from sesmail.service.workers import Workers
from sesmail.storage.keys import Places
from sesmail.storage.maildrop import Maildrops


def portal(config: Config, reactor: IReactorTime, opened: Maildrops, where: Places, load: Load, workers: Workers) -> Portal:
    """Raises LookupError with the name of a checker that nobody knows."""
    delay = LoginDelay(config.pop3.login_delay, reactor.seconds) if config.pop3.login_delay else None
    realm = Realm({IMailbox: pop3_mailbox(opened)}, delay)
    names = Names(
        None if config.mailboxes.domains is None else frozenset(config.mailboxes.domains), config.mailboxes.default_domain
    )
    tools = Tools(
        names=names,
        load=load,
        place_of=where.place,
        run=workers.run,
        now=reactor.seconds,
        users=tuple(_user(user, config, where) for user in config.auth.users),
        passwd_cache=config.auth.passwd_cache,
    )
    return Portal(realm, [FirstOf(checkers(config.auth.checkers, tools))])


def pop3_mailbox(opened: Maildrops) -> Factory:
    """What a POP3 session gets of its account."""

    async def mailbox(account: Account, client: Client) -> tuple[PopMailbox, Logout]:
        maildrop = await opened.open(account.place, client)
        return PopMailbox(maildrop), maildrop.close

    return mailbox


def _user(user: User, config: Config, where: Places) -> StaticUser:
    local, domain = parts(user, config)
    address = user.address or (user.name if "@" in user.name else None)
    return StaticUser(user.name, user.password, where.place(local, domain), fold(address) if address else None)
