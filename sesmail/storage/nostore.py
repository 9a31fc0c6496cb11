"""What stands where a store should be and there is none."""

from __future__ import annotations

from typing import NoReturn

from sesmail.errors import Unavailable


def _nowhere(*_: object, **__: object) -> NoReturn:
    raise Unavailable(cause="there is no store")


class NoStore:
    """See Store: every method raises Unavailable."""

    keeps_metadata = False
    list = folders = load = load_aged = head = open = put = copy = delete = staticmethod(_nowhere)
