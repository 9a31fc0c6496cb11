"""Whether mail that comes in, what is held of it and the mailboxes lie apart. What lay in both would be taken for the other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sesmail.config.read import Reading
from sesmail.config.stores import prefix_of, url_of
from sesmail.config.table import Config

HELD = "held/"
SWEPT = "swept/"
OWN = ".sesmail/"
_OURS = {
    HELD: "where held mail lies",
    SWEPT: "where mail lies whose recipients were guessed",
    OWN: "where sesmail keeps records",
}


def check(config: Config, reading: Reading) -> None:
    """Refuse prefixes of section incoming that are ours, and mailboxes that would lie where mail comes in or is held."""
    given = dict(_incoming(config))
    for option, prefix in given.items():
        for own, what in _OURS.items():
            # At the top of a bucket only keys without a slash are mail that comes in.
            if prefix and (prefix.startswith(own) or own.startswith(prefix)):
                reading.refuse(option, f"must not be {prefix}: {own} is {what}")
    for option, template, domains in _mailboxes(config):
        for name, prefix in given.items():
            if _meet(prefix, template, domains):
                reading.refuse(name, f"must lie apart from {option}, or what lies there would be taken for new mail")
        for own, what in _OURS.items():
            if _meet(own, template, domains):
                reading.refuse(option, f"must not lead to {own}, {what}")


def _incoming(config: Config) -> Iterator[tuple[str, str]]:
    yield "incoming.prefix", config.incoming.prefix
    for number, one in enumerate(config.incoming.mailboxes):
        yield f"incoming.mailboxes[{number}].prefix", one.prefix


def _mailboxes(config: Config) -> Iterator[tuple[str, str, tuple[str, ...] | None]]:
    """The templates of all keys in the store of incoming mail, by their options, each with the domains that it is for."""
    mailboxes = config.mailboxes
    url = config.incoming.url or config.storage.url
    if url == config.storage.url:
        yield "mailboxes.template", mailboxes.template, mailboxes.domains
        if "passwd" in config.auth.checkers:
            yield "mailboxes.passwd", mailboxes.passwd, mailboxes.domains
        for number, user in enumerate(config.auth.users):
            if user.prefix is not None:
                yield f"auth.users[{number}].prefix", user.prefix.replace("%", "%%"), ()
    for number, place in enumerate(mailboxes.places):
        if url_of(place, config) == url:
            literal = prefix_of(place, config) if place.prefix is None else place.prefix.replace("%", "%%")
            yield f"mailboxes.places[{number}]", literal, (place.for_.rpartition("@")[2],)


def _meet(prefix: str, template: str, domains: tuple[str, ...] | None) -> bool:
    """Whether a key may begin with `prefix` and be one of the template's."""
    if not prefix:
        return "/" not in template
    ours, theirs = prefix.split("/"), template.split("/")
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if number == len(ours) - 1:
            return _may_begin(one, other)
        if number == len(theirs) - 1:
            return _may_begin(other, one)
        if not _pattern(other, domains).fullmatch(one):
            return False
    return False


def _may_begin(start: str, whole: str) -> bool:
    """Whether what comes of `whole` may begin with what comes of `start`."""
    literals = [text.partition("%")[0] for text in (start, whole)]
    return literals[1].startswith(literals[0]) or ("%" in whole and literals[0].startswith(literals[1]))


def _pattern(part: str, domains: tuple[str, ...] | None) -> re.Pattern[str]:
    """What may come of one part of a template. A name begins with no dot, a domain that is not known has one within."""
    known = "|".join(map(re.escape, domains)) if domains is not None else r"[^.]+(?:\.[^.]+)+"
    meant = {"%%": "%", "%u": r"[^.+].*", "%d": f"(?:{known})"}
    return re.compile("".join(meant.get(text, re.escape(text)) for text in re.split("(%[du%])", part)))
