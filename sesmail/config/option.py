"""What the table says about an option: a dataclass field that knows its kind, its default as written, and its sentence."""

from __future__ import annotations

from dataclasses import MISSING, Field, field, fields
from typing import Any, TypeVar, cast

from sesmail.config.kinds import Kind, Text

T = TypeVar("T")


def option(kind: Kind[T], default: T | str, sentence: str) -> T:
    """An option. The default of a scalar is given as an admin would write it, and read by its kind."""
    value = kind.parse(default) if isinstance(kind, Text) and isinstance(default, str) else default
    metadata = {"kind": kind, "sentence": sentence, "written": default}
    return cast(T, field(default=value, repr=not _is_secret(kind), metadata=metadata))


def required(kind: Kind[T], sentence: str) -> T:
    """An option of an entry that has no default."""
    return cast(T, field(repr=not _is_secret(kind), metadata={"kind": kind, "sentence": sentence}))


def _is_secret(kind: Kind[Any]) -> bool:
    return isinstance(kind, Text) and kind.secret


def options(cls: type) -> dict[str, Field[Any]]:
    """The options of a section or an entry by the name they have in the file, in the order of the table."""
    return {one.name.rstrip("_"): one for one in fields(cls)}


def is_required(one: Field[Any]) -> bool:
    """True when an entry is not complete without it."""
    return one.default is MISSING and one.default_factory is MISSING
