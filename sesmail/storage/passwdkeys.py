"""The keys of password files: no mail, whatever they are called and wherever they lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from sesmail.interfaces import StorePlace

Matches = Callable[[bytes], bool]


class PasswdKeys:
    """Finds them in the listings of mailboxes.

    `templates`: stores, and keys in them as `keys.Places` spells them, where ``%d`` may stand for any domain. Stores are told apart
    by URL alone: a login may bring its own credentials to the same bucket.
    """

    def __init__(self, templates: Iterable[tuple[StorePlace, str]] = ()) -> None:
        self._forms: dict[str, list[list[re.Pattern[bytes]]]] = {}
        for store, template in dict.fromkeys(templates):
            parts = [re.compile(_pattern(part), re.DOTALL) for part in template.split("/")]
            self._forms.setdefault(_name(store), []).append(parts)

    def behind(self, store: StorePlace, prefixes: Iterable[str]) -> Matches | None:
        """What tells of a key behind one of these prefixes whether it is one; None where none can be."""
        forms = self._forms.get(_name(store), ())
        above = [prefix.encode().split(b"/")[:-1] for prefix in prefixes]
        possible = [form for form in forms if any(len(form) > len(parts) and _match(form, parts) for parts in above)]
        if not possible:
            return None
        return lambda key: any(len(form) == key.count(b"/") + 1 and _match(form, key.split(b"/")) for form in possible)


def _name(store: StorePlace) -> str:
    return store.url.rstrip("/")


def _match(form: Sequence[re.Pattern[bytes]], parts: Sequence[bytes]) -> bool:
    return all(pattern.fullmatch(part) for pattern, part in zip(form, parts, strict=False))


def _pattern(part: str) -> bytes:
    found = re.split(r"%(.)", part)
    literals, fields = found[::2], found[1::2]
    patterns = ["%" if field == "%" else ".+" for field in fields]
    return "".join(re.escape(text) + pattern for text, pattern in zip(literals, [*patterns, ""], strict=True)).encode()
