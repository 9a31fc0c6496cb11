"""How the table's options are written in the manuals."""

from __future__ import annotations

from dataclasses import Field
from typing import Any

from sesmail.config.kinds import AnyOr
from sesmail.config.option import is_required


def default(one: Field[Any]) -> str:
    """An option's default as an admin would write it; that of a list of mappings is left to the example file."""
    if is_required(one):
        return "required"
    value = one.metadata["written"]
    if value is None:
        return "any" if isinstance(one.metadata["kind"], AnyOr) else "null"
    if isinstance(value, tuple):
        return (
            f"[{', '.join(map(str, value))}]" if all(isinstance(part, str) for part in value) else "two listeners on 127.0.0.1"
        )
    return value or '""'


def entry(key: str, one: Field[Any]) -> str:
    """An option in the man page."""
    shown = "required" if is_required(one) else f"default ``{default(one)}``"
    words = one.metadata["kind"].words.removesuffix(", or null")
    return f"``{key}`` ({words}; {shown})\n    {one.metadata['sentence']}\n"
