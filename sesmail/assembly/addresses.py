"""Everything that knows addresses, put together from the configuration."""

from __future__ import annotations

from collections.abc import Callable

from sesmail.aliases.cached import Cached
from sesmail.aliases.lookups import Owners, Reading, Uses, in_table, left_in_table, owners
from sesmail.aliases.table import Table
from sesmail.assembly.accounts import ByAddress
from sesmail.assembly.addressmap import AddressMap
from sesmail.assembly.aliastable import looked_up
from sesmail.assembly.residents import Residents, names
from sesmail.assembly.routing import OurDomains, address_rules, model
from sesmail.assembly.senders import Senders
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.delivery.uses import Count, nobody_counts
from sesmail.errors import MailError


class Addresses:
    """Of the configuration, its map and its table of aliases. Blocking, to be used by several threads.

    `model` says where mail goes, `senders` who may send as what, `ours` which domains are ours; `count` counts uses of aliases;
    `accounts` are those by their addresses.
    """

    def __init__(self, config: Config, people: Residents, table: AddressMap | None, aliases: Table | None) -> None:
        self.aliases = aliases
        rows = None if aliases is None else looked_up(config, aliases)
        self.ours = OurDomains(config, people, rows)
        self.count: Count = nobody_counts
        owning: list[Owners] = [table.resolve] if table else []
        if aliases is None or rows is None:
            self.model = model(config, people, table)
        else:
            reading = Reading(config.aliases.mailbox, config.aliases.require_domain)
            look_up = in_table(rows, reading)
            self.model = model(config, people, table, [look_up], [left_in_table(rows, reading)])
            self.count = Uses(self.model, look_up, aliases).count
            owning.append(owners(rows, reading))
        self.accounts = ByAddress(config)
        self.senders = Senders(names(config), address_rules(config), owning, self.accounts)
        self._map = table
        self._rows = rows

    def prepare(self, config: Config) -> Callable[[], None]:
        """Read the map of this configuration. What is returned takes on that and the accounts, and forgets what the table has said.
        Raises MailError."""
        looked_up_in = self._map.prepare(config.aliases.map) if self._map is not None and config.aliases.map else None

        def take_on() -> None:
            if looked_up_in is not None:
                looked_up_in()
            self.accounts.change(config)
            if isinstance(self._rows, Cached):
                self._rows.forget()

        return take_on


def address_map(config: Config) -> AddressMap | None:
    """The map of section aliases. Raises ConfigError when it cannot be used."""
    spec = config.aliases.map
    if spec is None:
        return None
    try:
        return AddressMap(spec)
    except MailError as error:
        raise ConfigError([Problem(Where(config.source or "configuration"), "aliases.map", str(error))]) from error
