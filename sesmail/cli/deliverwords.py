"""The words of `sesmail deliver`, read as mailtos3 reads them, which is Go's way: one dash or two, a value behind ``=`` or as the next word,
whatever that begins with. The first word that is none of an option's, or ``--``, ends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# The sender that Postfix names where there is none, see null_sender in pipe(8).
_NOBODY = "mailer-daemon"
_NAMES = {
    "a": "address",
    "address": "address",
    "f": "from",
    "from": "from",
    "queue-id": "queue-id",
    "config": "config",
    "socket": "socket",
}


class BadWords(Exception):
    """The text says what is wrong, for whoever wrote the line in master.cf."""


@dataclass(frozen=True)
class Words:
    """What was asked for. No `addresses`: the mail is for the catch-all. `message` is the message itself, where it is an argument."""

    addresses: tuple[str, ...] = ()
    sender: str = ""
    queue_id: str | None = None
    config: str | None = None
    socket: str | None = None
    message: str | None = None


def read(words: Sequence[str]) -> Words:
    """Raises BadWords. Of an option other than the address the last one counts; an address that is empty or CatchAll is none."""
    given: dict[str, list[str]] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
        if name not in _NAMES:
            raise BadWords(f"there is no option {word.partition('=')[0][:40]}")
        if not equals:
            if not rest:
                raise BadWords(f"{word} needs a value")
            value = rest.pop(0)
        given.setdefault(_NAMES[name], []).append(value)
    if len(rest) > 1:
        raise BadWords("more than one argument; a message is one, in quotes")
    return _words(given, rest)


def _words(given: dict[str, list[str]], rest: list[str]) -> Words:
    last = {name: values[-1] for name, values in given.items() if values[-1]}
    sender = last.get("from", "")
    addresses = dict.fromkeys(one for one in given.get("address", []) if one and one.lower() != "catchall")
    return Words(
        tuple(addresses),
        "" if sender.lower() == _NOBODY else sender,
        last.get("queue-id"),
        last.get("config"),
        last.get("socket"),
        rest[0] if rest else None,
    )
