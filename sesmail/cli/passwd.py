"""``sesmail passwd``: users and their passwords in password files, one of a domain in the store or one for everybody."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from sesmail.assembly.residents import names
from sesmail.assembly.stores import blocking_stores, clients, places
from sesmail.auth import hashes
from sesmail.auth.edits import Editable, amend, records, with_hash, without
from sesmail.auth.entries import Record
from sesmail.auth.localfile import LocalFile
from sesmail.auth.names import Name, UnknownUser
from sesmail.auth.records import Records, parse
from sesmail.cli.typed import secret
from sesmail.config.load import load
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.errors import Malformed
from sesmail.service.passwdfiles import PasswdFiles

EXIT_WRONG = 1


def run(args: argparse.Namespace) -> int:
    """Do what ``args.action`` says. Others who change the same file at the same time lose nothing, and we neither.

    Raises ConfigError, and Unavailable when the store could not be asked.
    """
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "hash": _hash,
        "set": _set,
        "verify": _verify,
        "remove": _remove,
        "list": _list,
    }
    return actions[args.action](args)


def _hash(args: argparse.Namespace) -> int:
    print(hashes.fresh(secret("Password", twice=True).encode()))
    return 0


def _set(args: argparse.Namespace) -> int:
    file, user = _file_and_name(args)
    new = hashes.fresh(secret("Password", twice=True).encode())
    amend(file, lambda data: with_hash(data, _spelled(data, user), new))
    print(f"{user[0]}: password set")
    return 0


def _verify(args: argparse.Namespace) -> int:
    file, user = _file_and_name(args)
    record = _found(records(file), user)
    tried = record or Record("", hashes.NOBODY)
    right = hashes.verify(tried.hash, tried.salt, secret("Password").encode())
    print(f"{user[0]}: {'right' if right else 'wrong password' if record else 'no such user'}")
    return 0 if right else EXIT_WRONG


def _remove(args: argparse.Namespace) -> int:
    file, user = _file_and_name(args)
    amend(file, lambda data: without(data, _spelled(data, user)))
    print(f"{user[0]}: removed")
    return 0


def _list(args: argparse.Namespace) -> int:
    config = load(args.config)
    for name, record in sorted(records(_file(args, config, _domain(args, config))).users.items()):
        print(name + _remark(record.hash))
    return 0


def _domain(args: argparse.Namespace, config: Config) -> str:
    """Whose file is listed, ``""`` for the one for everybody."""
    if args.file is not None or _is_common(config):
        return ""
    domain = args.domain or config.mailboxes.default_domain
    if not domain:
        raise Malformed("name a domain, for there is no mailboxes.default_domain")
    return _checked(f"x@{domain}", config).domain


def _remark(stored: str) -> str:
    if hashes.locked(stored):
        return "  (locked)"
    if not hashes.known(stored):
        return "  (no password fits: unknown scheme)"
    return "  (old hash)" if hashes.outdated(stored) else ""


# How a user may be spelled in a file; the first is what a new line gets.
Spellings = tuple[str, ...]


def _file_and_name(args: argparse.Namespace) -> tuple[Editable, Spellings]:
    config = load(args.config)
    name = _checked(args.user, config)
    if args.file is not None or _is_common(config):
        bare = (name.local,) if name.domain == config.mailboxes.default_domain else ()
        return _file(args, config, ""), tuple(dict.fromkeys((str(name), *bare)))
    if not name.domain:
        raise Malformed("the name needs a domain, for there is no mailboxes.default_domain")
    return _file(args, config, name.domain), (name.local, str(name))


def _checked(user: str, config: Config) -> Name:
    try:
        name = names(config).user(user.encode("utf-8", "surrogateescape"))
    except UnknownUser:
        raise Malformed("this cannot be the name of a user here") from None
    if name.local.startswith("#"):
        raise Malformed("a name cannot begin with #, which begins a comment")
    return name


def _file(args: argparse.Namespace, config: Config, domain: str) -> Editable:
    if args.file is not None:
        return LocalFile(Path(args.file))
    store_of = blocking_stores(clients(config))
    return PasswdFiles(places(config), default_store(config), config.auth.passwd_file, store_of).editable(domain)


def _is_common(config: Config) -> bool:
    return config.auth.passwd_file is not None and "passwd" not in config.auth.checkers


def _found(users: Records, user: Spellings) -> Record | None:
    return next((users.users[name] for name in user if name in users.users), None)


def _spelled(data: bytes, user: Spellings) -> str:
    """As the file spells the user, or as a new line shall."""
    found = _found(parse(data), user)
    return found.name if found is not None else user[0]
