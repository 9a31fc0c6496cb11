"""The table of aliases that the configuration names: asked in a worker, read again on demand."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from sesmail.aliases.postfixmap import load
from sesmail.auth.run import Run
from sesmail.errors import MailError

_log = logging.getLogger(__name__)


class AliasTable:
    """The table of ``TYPE:PATH``. Raises Malformed and Unavailable, in words for the admin."""

    def __init__(self, spec: str, run: Run) -> None:
        self._spec = spec
        self._run = run
        self._table = load(spec)

    async def resolve(self, address: str) -> Sequence[str]:
        """The accounts that the address leads to, as the table spells them. Raises Unavailable when there is no worker for it."""
        found: Sequence[str] = await self._run(self._table.resolve, address)
        return found

    def reload(self) -> None:
        """Read it again, soon. A table that cannot be used changes nothing, and the log says why."""
        Deferred.fromCoroutine(self._reload())

    async def _reload(self) -> None:
        try:
            self._table = await self._run(load, self._spec)
        except MailError as error:
            _log.error("the table of aliases stays as it was: %s", error)
        else:
            _log.info("the table of aliases was read again")


async def nowhere(address: str) -> Sequence[str]:
    """What a table says that has no aliases."""
    return ()
