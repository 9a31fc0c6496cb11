"""What people keep in a table: aliases, the domains they are in, and the destinations that mail may go to. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass

IN_STORE = "S3"
"""A destination that is no address: the mailbox of the configuration."""


@dataclass(frozen=True)
class Alias:
    """An address that people made. `local` and `domain` are in lower case, the domain in its ASCII form.

    `destinations`, in order, are addresses or IN_STORE. Mail is delivered while it is `active`, and dropped while it is also to
    `ignore` it. `owner`: the account that may change it, ``""`` for the administrators alone. Times are seconds since 1970.
    `version` grows with every change but for `use_count`.
    """

    local: str
    domain: str
    destinations: tuple[str, ...]
    identifier: str
    active: bool = True
    ignore: bool = False
    owner: str = ""
    description: str = ""
    created: int = 0
    modified: int = 0
    use_count: int = 0
    version: int = 0

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"


@dataclass(frozen=True)
class Domain:
    """A domain whose aliases are kept here; those of one that is not `active` bounce. `catch_all`: destinations for what is no alias."""

    name: str
    active: bool = True
    description: str = ""
    catch_all: tuple[str, ...] = ()
    created: int = 0
    modified: int = 0
    version: int = 0


@dataclass(frozen=True)
class DestinationRecord:
    """An address that mail may go to; one that is not `active` gets none. An address without a record counts as active."""

    address: str
    active: bool = True
    verified: bool = False
    created: int = 0
    modified: int = 0
    version: int = 0
