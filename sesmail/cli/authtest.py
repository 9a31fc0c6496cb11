"""``sesmail auth test``: ask the configured checkers about one login, and say who decided."""

from __future__ import annotations

import argparse

from sesmail.auth.names import UnknownUser
from sesmail.cli.typed import secret
from sesmail.cli.untildone import outcome_of
from sesmail.config.load import load
from sesmail.errors import BadLogin, MailError
from sesmail.interfaces import Account
from sesmail.service.trylogin import try_login

EXIT_REFUSED = 1


def run(args: argparse.Namespace) -> int:
    """0 when the login is good, 1 when it is refused. Raises Unavailable when that cannot be found out."""
    config = load(args.config)
    password = secret("Password").encode("utf-8", "surrogateescape")
    # Only now: it installs itself when it is imported.
    from twisted.internet import reactor

    name = args.user.encode("utf-8", "surrogateescape")
    try:
        account = outcome_of(reactor, try_login(config, reactor, name, password, _say))
    except BadLogin:
        print("refused")
        return EXIT_REFUSED
    _describe(account)
    return 0


def _say(checker: str, answer: MailError | Account) -> None:
    if isinstance(answer, UnknownUser):
        said = "not its user"
    elif isinstance(answer, BadLogin):
        said = "wrong password, or not its user" if answer.cause is None else f"refused: {answer.cause}"
    elif isinstance(answer, MailError):
        said = f"could not find out: {answer}"
    else:
        said = "accepted"
    print(f"{checker}: {said}", flush=True)


def _describe(account: Account) -> None:
    place = account.place
    print(f"account: {account.name}")
    print(f"address: {account.address or 'none, so it may not send'}")
    print(f"mail: {f'{place.store.url}, {place.prefix}' if place else 'none, the mailbox is empty'}")
