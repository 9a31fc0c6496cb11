"""What a gateway cannot do its work without, each asked by a harmless call."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeAlias

from sesmail.aliases.table import Table
from sesmail.assembly.aliastable import alias_table
from sesmail.assembly.couriers import ses_client
from sesmail.assembly.stores import StoreOf, incoming_store
from sesmail.config.receivingchecks import is_told, sweep_every
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.disk import troubles, write_all
from sesmail.errors import MailError, Unavailable
from sesmail.interfaces import NO_STORE, StorePlace
from sesmail.relay.ses import quota
from sesmail.relay.spool import RESERVE

Question: TypeAlias = Callable[[], None]
"""Blocks. Raises a MailError when what it asks does not answer as it should."""

# Nobody has this name: those of users begin with no dot, and no mail lies behind it.
_NOBODY = ".sesmail-ready"
_NOWHERE = "invalid"
_LONGEST = 200


def questions(config: Config, store_of: StoreOf, end: ExitStack) -> Mapping[str, Question]:
    """By the name of what is asked: ``storage``, ``incoming``, ``ses``, ``aliases``, ``disk``, as far as the configuration has them. What
    is to be closed goes into `end`. Raises ConfigError as the table does."""
    found: dict[str, Question] = {}
    place, arrivals = default_store(config), incoming_store(config)
    if place.url != NO_STORE:
        found["storage"] = partial(_lists, store_of, place, _mailbox(config))
    if _collects(config) and arrivals != place:
        found["incoming"] = partial(_lists, store_of, arrivals, f"{config.incoming.prefix}{_NOBODY}/")
    if config.relay.courier == "ses" and (config.submission.listeners or _collects(config)):
        found["ses"] = partial(_may_send, ses_client(config))
    table = alias_table(config, end)
    if table is not None:
        found["aliases"] = partial(_knows, table)
    found["disk"] = partial(_takes, _folders(config))
    return found


def _collects(config: Config) -> bool:
    return is_told(config) or bool(sweep_every(config))


def _mailbox(config: Config) -> str:
    domain = (config.mailboxes.domains or (_NOWHERE,))[0]
    return config.mailboxes.template.replace("%%", "%").replace("%d", domain).replace("%u", _NOBODY)


def _lists(store_of: StoreOf, place: StorePlace, prefix: str) -> None:
    for _ in store_of(place).list(prefix):
        break


def _may_send(client: Callable[[], object]) -> None:
    if not quota(client()).enabled:
        raise Unavailable("sending is paused for this account")


def _knows(table: Table) -> None:
    table.get(_NOBODY, _NOWHERE)


def _folders(config: Config) -> list[Path]:
    return [Path(config.service.state_dir), *([Path(config.relay.spool)] if config.submission.listeners else [])]


def _takes(folders: list[Path]) -> None:
    """A file can be written and is durable, and new mail would find room."""
    for folder in folders:
        with troubles(), tempfile.TemporaryFile(dir=folder) as file:
            write_all(file.fileno(), b"ready\n")
            os.fsync(file.fileno())
            free = os.fstatvfs(file.fileno())
        if free.f_bavail * free.f_frsize < RESERVE:
            raise Unavailable(f"less than {RESERVE >> 20} MiB are free")


def reason(error: Exception) -> str:
    """What monitoring may see of an error: the operation and the code that AWS named, or its kind; never what was sent."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, Exception):
        code = getattr(cause, "response", {}).get("Error", {}).get("Code")
        return f"{type(cause).__name__}{f': {code}' if code else ''}"
    if isinstance(error, MailError):
        return str(cause or error.public)[:_LONGEST]
    return type(error).__name__
