"""Read a password file for checking passwords. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sesmail.auth import hashes
from sesmail.auth.entries import Record, entries
from sesmail.auth.names import fold


@dataclass(frozen=True)
class Records:
    """A parsed file: users by folded name, and the numbers (from 1) of lines that could not be understood.

    `unusable` are lines of users whom no password lets in, since their scheme or a condition of theirs is not known here.
    """

    users: Mapping[str, Record] = field(default_factory=dict, repr=False)
    malformed: tuple[int, ...] = ()
    unusable: tuple[int, ...] = ()

    @property
    def decoy(self) -> Record:
        """What an unknown user's password is compared with, so that he costs what the file's first user costs."""
        return next((one for one in self.users.values() if hashes.known(one.hash)), Record("", hashes.NOBODY))


def parse(data: bytes) -> Records:
    """The users of a password file; the first line that matches a name wins."""
    users: dict[str, Record] = {}
    malformed, unusable = [], []
    for number, record in entries(data):
        if record is None:
            malformed.append(number)
            continue
        users.setdefault(fold(record.name), record)
        if not hashes.known(record.hash) and not hashes.locked(record.hash):
            unusable.append(number)
    return Records(users, tuple(malformed), tuple(unusable))
