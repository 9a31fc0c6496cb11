"""The API over the table of aliases, with the rights that the configuration gives."""

from __future__ import annotations

import time
import uuid

from sesmail.aliases.table import Table
from sesmail.api.respond import Api
from sesmail.api.rights import Rights
from sesmail.assembly.residents import Residents
from sesmail.config.table import Config


def alias_api(config: Config, table: Table, people: Residents) -> Api:
    """`people` are asked whether a name is taken by an account."""
    rights = Rights(
        is_mailbox=lambda address: people.place(address) is not None,
        separators=config.routing.separators,
        store_owner=config.aliases.mailbox or "",
        domains=frozenset(config.mailboxes.domains or ()),
    )
    return Api(table, now=time.time, new_id=lambda: str(uuid.uuid4()), rights=rights)
