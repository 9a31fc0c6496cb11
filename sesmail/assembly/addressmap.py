"""The Postfix-style map of the configuration: asked from threads, read again on demand."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sesmail.aliases.model import Target, in_map
from sesmail.aliases.postfixmap import load
from sesmail.errors import MailError

_log = logging.getLogger(__name__)


class AddressMap:
    """The table of ``TYPE:PATH``. Raises Malformed and Unavailable, in words for the admin."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._table = load(spec)

    def resolve(self, address: str) -> Sequence[str]:
        """The accounts and addresses that the address leads to, in lower case. A long table takes milliseconds."""
        return self._table.resolve(address)

    def look_up(self, address: str) -> Sequence[Target]:
        """See LookUp."""
        return in_map(self._table)(address)

    def reload(self) -> None:
        """Read it again. A table that cannot be used changes nothing, and the log says why."""
        try:
            self._table = load(self._spec)
        except MailError as error:
            _log.error("the table of aliases stays as it was: %s", error)
        else:
            _log.info("the table of aliases was read again")
