"""One login, asked of the configured checkers as the gateway asks them, with a word on each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.credentials import UsernamePassword

from sesmail.assembly import stores
from sesmail.auth.chain import ask
from sesmail.auth.names import UnknownUser
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.errors import BadLogin, MailError
from sesmail.interfaces import Account
from sesmail.service import logins, maildrops
from sesmail.service.passwdfiles import PasswdFiles
from sesmail.service.workers import Workers

WAITING = 100


async def try_login(
    config: Config, reactor: Any, name: bytes, password: bytes, heard: Callable[[str, MailError | Account], None]
) -> Account:
    """`heard` is told what each checker says, in the order in which they are asked; nothing else remembers the login.

    Raises BadLogin, and Unavailable when a checker could not find out. LookupError for a checker that nobody knows.
    """
    workers = Workers(reactor, "logins", config.service.login_workers, WAITING)
    reached = stores.clients(config)
    readers = maildrops.readers(config, reactor, workers, reached)
    places = stores.places(config)
    files = PasswdFiles(places, default_store(config), config.auth.passwd_file, stores.blocking_stores(reached))
    asked = logins.checkers(config, reactor, places, files, readers, workers)
    closing = logins.Closing(asked.values(), reactor)
    for service in (workers, closing):
        service.startService()
    try:
        for checker in asked:
            try:
                account = await ask(asked[checker], UsernamePassword(name, password))
            except MailError as error:
                heard(checker, error)
                if not isinstance(error, UnknownUser):
                    raise
            else:
                heard(checker, account)
                return account
        raise BadLogin
    finally:
        await closing.stopService()
        await readers.close()
        await workers.stopService()
