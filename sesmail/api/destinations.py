"""What callers do with registered destinations. Blocking; every method raises Unavailable and Limited too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from sesmail.aliases.addresses import destination
from sesmail.aliases.records import DestinationRecord
from sesmail.aliases.table import NoSuchRow, Table
from sesmail.api.http import Caller
from sesmail.api.rights import Rights, check_admin
from sesmail.errors import Malformed
from sesmail.log import line

log = logging.getLogger(__name__)


class Destinations:
    """A user sees his own address alone: the others are other people's."""

    def __init__(self, table: Table, rights: Rights, *, now: Callable[[], float]) -> None:
        self._table = table
        self._rights = rights
        self._now = now

    def all(self, caller: Caller) -> Sequence[DestinationRecord]:
        """By address."""
        own = self._rights.own(caller)
        return [one for one in self._table.destinations() if caller.admin or one.address in own]

    def read(self, caller: Caller, address: str) -> DestinationRecord:
        """Raises NoSuchRow."""
        try:
            wanted = destination(address)
        except Malformed:
            raise NoSuchRow from None
        found = next((one for one in self.all(caller) if one.address == wanted), None)
        if found is None:
            raise NoSuchRow
        return found

    def add(self, caller: Caller, record: DestinationRecord) -> DestinationRecord:
        """Raises Refused and Taken."""
        check_admin(caller)
        now = int(self._now())
        return self._told("destination-added", caller, self._table.add_destination(replace(record, created=now, modified=now)))

    def change(self, caller: Caller, old: DestinationRecord, new: DestinationRecord) -> DestinationRecord:
        """`old` as `read` gave it. Raises Refused, NoSuchRow, Changed."""
        check_admin(caller)
        if new == old:
            return old
        changed = self._table.change_destination(old, replace(new, modified=int(self._now())))
        return self._told("destination-changed", caller, changed)

    def remove(self, caller: Caller, old: DestinationRecord) -> None:
        """`old` as `read` gave it. Raises Refused, NoSuchRow, Changed."""
        check_admin(caller)
        self._table.remove_destination(old)
        self._told("destination-removed", caller, old)

    def _told(self, word: str, caller: Caller, record: DestinationRecord) -> DestinationRecord:
        log.info("%s", line(word, destination=record.address, by=caller.name))
        return record
