"""A bar on the terminal for work that takes long, where tqdm is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def progress(things: Iterable[T], what: str) -> Iterator[T]:
    """The same things; how many there were so far is shown on standard error, if that is a terminal."""
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            return iter(things)
        return iter(tqdm(things, unit=f" {what}", leave=False))
    return iter(things)
