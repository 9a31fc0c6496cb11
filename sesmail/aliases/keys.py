"""Tables of keys and values: the text that ``hash:`` and its like are made from, and ``texthash:`` as it is."""

from __future__ import annotations

import logging
import re

from sesmail.aliases.lines import logical_lines
from sesmail.errors import Malformed

log = logging.getLogger(__name__)

# A key may have white space in quotes.
_PAIR = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^\s"])+)[ \t]+(\S.*)')


class Keys:
    """Keys are compared in lower case."""

    def __init__(self, text: str) -> None:
        """Raises Malformed, which begins with the number of the line. Of two lines with one key the first counts."""
        self._values: dict[str, str] = {}
        for number, line in logical_lines(text):
            pair = _PAIR.fullmatch(line)
            if pair is None:
                raise Malformed(f"{number}: a line has the form: address, white space, user")
            if pair[1].endswith(":"):
                raise Malformed(f"{number}: there is a colon behind the address; this is no table for aliases(5)")
            self._add(number, pair[1].lower(), pair[2])

    def look_up(self, address: str) -> str | None:
        """The value of the address, else of the address without its ``+tag``, else of ``@domain`` (virtual(5))."""
        local, at, domain = address.lower().rpartition("@")
        user, _, _ = local.partition("+")
        keys = (address.lower(), user + at + domain if user else None, at + domain if at else None)
        return next((self._values[key] for key in keys if key in self._values), None)

    def _add(self, number: int, key: str, value: str) -> None:
        if key in self._values:
            log.warning("line %d of the table has a key that an earlier line has; the earlier one counts", number)
        else:
            self._values[key] = value
