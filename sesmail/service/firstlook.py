"""When a gateway is started with a table of aliases that another program may have kept: what it changes is logged, once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sesmail.aliases.table import Table
from sesmail.assembly.aliaschanges import changes
from sesmail.config.table import Config
from sesmail.errors import MailError
from sesmail.service.workers import Workers

_log = logging.getLogger(__name__)

LINES = 100
"""That are logged; the command tells all."""


class FirstLook(Service):
    """Looks when it starts. Nothing waits for that, and nothing depends on it."""

    def __init__(self, config: Config, reactor: Any, table: Table) -> None:
        self._config = config
        self._table = table
        # A large table takes minutes, in which nobody is to wait for a worker.
        self._workers = Workers(reactor, "first look", 1, 0, daemon=True)

    def startService(self) -> None:
        super().startService()
        self._workers.startService()
        looked = Deferred.fromCoroutine(self._workers.run(look, self._config, self._table))
        looked.addErrback(_failed)

    def stopService(self) -> None:
        # The end is not waited for: the next start looks again.
        super().stopService()
        self._workers.stopService()


def _failed(failure: Failure) -> None:
    known = failure.check(MailError) is not None
    _log.warning("what the table of aliases changes is not known: %s", failure.value, exc_info=None if known else failure.value)


def look(config: Config, table: Table) -> None:
    """Log what it changes, unless that was done before with this table. Blocking. Raises Unavailable."""
    name = config.aliases.dynamodb_table or ""
    mark = Path(config.service.state_dir) / "aliases-looked-at"
    try:
        if mark.exists() and name in mark.read_text("utf-8").split():
            return
        _tell(config, table, name)
        with mark.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    except OSError as error:
        _log.warning("what the table of aliases changes may be told again: %s: %s", error.filename, error.strerror)


def _tell(config: Config, table: Table, name: str) -> None:
    told = 0
    for told, line in enumerate(changes(config, table), 1):
        if told <= LINES:
            _log.warning("aliases of %s: %s", name, line)
    if told > LINES:
        _log.warning("aliases of %s: %d more changes, which sesmail alias check tells", name, told - LINES)
    elif not told:
        _log.info("aliases of %s: mail goes where it went before", name)
