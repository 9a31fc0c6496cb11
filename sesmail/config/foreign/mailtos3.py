"""mailtos3: its config.json becomes the section deliver, with which the same line in master.cf stores the same mail."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sesmail.config.files import first_of, read_text
from sesmail.config.foreign.draft import Draft
from sesmail.config.foreign.settings import Given
from sesmail.config.jsontree import parse
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.tree import Items, Node, Scalar
from sesmail.config.tree import Mapping as Tree
from sesmail.mail.dated import is_dated

SYSTEM = "mailtos3"
FILES = ("/usr/local/bin/mailtos3/config.json", "./config.json")
LOG = "/var/log/mailtos3.log"

_REQUEST = ("region", "timeout", "endpoint")
_MAILBOX = ("address", "bucket", "cmkKeyArn", "prefix")
_LAYOUT = "dateTimeFormat("


@dataclass
class Settings:
    """What its file says; everything has its line and column."""

    origin: str
    request: Mapping[str, Given]
    mailboxes: Sequence[Mapping[str, Given]]
    ignored: list[Given] = field(default_factory=list)


def read(file: str | None) -> Settings:
    """Its file, else the first of FILES that is there. Keys are taken in any case, as Go takes them.

    Raises ConfigError for what mailtos3 would not read either.
    """
    source = file if file is not None else first_of(FILES)
    if source is None:
        raise ConfigError([Problem(Where(" and ".join(FILES)), "", "are not there; name its config.json")])
    found = Settings(source, {}, [])
    top = _entries(parse(read_text(source), source), "", ("requestConfig", "mailboxes"), found)
    found.request = _texts(top.get("requestConfig"), "requestConfig", _REQUEST, found)
    listed = top.get("mailboxes")
    if listed is not None and not isinstance(listed, Items):
        raise ConfigError([Problem(listed.where, "mailboxes", "must be a list")])
    items = listed.items if listed else ()
    found.mailboxes = [_texts(one, f"mailboxes[{number}]", _MAILBOX, found) for number, one in enumerate(items)]
    return found


def _entries(node: Node | None, path: str, names: Sequence[str], found: Settings) -> dict[str, Node]:
    if node is None or (isinstance(node, Scalar) and node.text is None):
        return {}
    if not isinstance(node, Tree):
        raise ConfigError([Problem(node.where, path, "must hold keys and values")])
    by_lower = {name.lower(): name for name in names}
    entries: dict[str, Node] = {}
    for key, value in node.entries:
        name = by_lower.get((key.text or "").lower())
        if name is None:
            found.ignored.append(Given(f"{path}.{key.text}" if path else str(key.text), "", key.where))
        else:
            entries[name] = value
    return entries


def _texts(node: Node | None, path: str, names: Sequence[str], found: Settings) -> dict[str, Given]:
    texts: dict[str, Given] = {}
    for name, value in _entries(node, path, names, found).items():
        full = f"{path}.{name}"
        if not isinstance(value, Scalar):
            raise ConfigError([Problem(value.where, full, "must be a single value")])
        if value.text is not None:
            _check_type(name, full, value)
            texts[name] = Given(full, value.text, value.where)
    return texts


def _check_type(name: str, full: str, value: Scalar) -> None:
    kinds = {"timeout": ("a whole number", r"\d{1,9}"), "endpoint": ("true or false", "true|false")}
    words, pattern = kinds.get(name, ("a text in double quotes", None))
    good = value.plain and re.fullmatch(pattern, value.text or "") is not None if pattern else not value.plain
    if not good:
        raise ConfigError([Problem(value.where, full, f"must be {words}")])


def draft(settings: Settings) -> Draft:
    """What the settings come to. Problems are kept in the draft."""
    made = Draft(SYSTEM, settings.origin, None)
    for one in settings.ignored:
        made.warn(f"{one.where}: {one.name} is not known, and mailtos3 did not use it either")
    _request(made, settings.request)
    _mailboxes(made, settings)
    made.put("deliver.log", LOG)
    made.put("pop3.listeners", [])
    made.warn(
        f"{LOG} must be writable for the user that Postfix runs the command as, or all mail is deferred; without deliver.log there is no log"
    )
    made.warn("nobody can read the mail by POP3 before there are pop3.listeners and users, see deliver.rst")
    return made


def _request(made: Draft, given: Mapping[str, Given]) -> None:
    region, timeout, endpoint = (given.get(name) for name in _REQUEST)
    if region is not None and region.text:
        made.put("storage.region", region.text, region)
    else:
        made.warn("no region is given: it is that of the AWS settings of the machine")
    if endpoint is not None and endpoint.text == "true":
        if region is None or not region.text:
            made.refuse(endpoint.problem("needs region beside it"))
        else:
            made.put("deliver.endpoint", f"https://s3.{region.text}.amazonaws.com", endpoint)
    if timeout is not None and int(timeout.text):
        made.put("deliver.timeout", int(timeout.text), timeout)


def _mailboxes(made: Draft, settings: Settings) -> None:
    written: list[dict[str, str]] = []
    for number, one in enumerate(settings.mailboxes):
        entry = _mailbox(made, one, number, settings.origin)
        if entry is not None:
            written.append(entry)
    if not written:
        made.refuse(Problem(Where(settings.origin), "mailboxes", "is empty: there is nobody to deliver to"))
        return
    buckets = {f"s3://{one['bucket'].text}": one["bucket"] for one in settings.mailboxes if "bucket" in one}
    made.put("storage.url", written[0]["url"])
    made.came_from("storage.url", buckets[written[0]["url"]])
    made.put("deliver.mailboxes", written)
    places = _places(made, written)
    made.put("mailboxes.places", places)
    for number, place in enumerate(places):
        made.came_from(f"mailboxes.places[{number}].url", buckets[str(place["url"])])


def _mailbox(made: Draft, one: Mapping[str, Given], number: int, origin: str) -> dict[str, str] | None:
    path = f"mailboxes[{number}]"
    missing = [name for name in ("address", "bucket") if name not in one or not one[name].text]
    if missing:
        where = next((given.where for given in one.values()), Where(origin))
        made.refuse(Problem(where, path, f"needs {missing[0]}"))
        return None
    entry = {"address": one["address"].text, "url": f"s3://{one['bucket'].text}"}
    if "prefix" in one and one["prefix"].text:
        entry["prefix"] = one["prefix"].text
        _lost_letters(made, one["prefix"])
    if "cmkKeyArn" in one and one["cmkKeyArn"].text:
        # What reads the bucket beside us knows mailtos3's form.
        entry |= {"kms_key": one["cmkKeyArn"].text, "wrap": "kms"}
    for name, option in (("address", "address"), ("bucket", "url"), ("prefix", "prefix"), ("cmkKeyArn", "kms_key")):
        made.came_from(f"deliver.mailboxes[{number}].{option}", one.get(name))
    return entry


def _lost_letters(made: Draft, prefix: Given) -> None:
    if is_dated(prefix.text) and (layout := prefix.text[len(_LAYOUT) : -1]).lstrip(_LAYOUT).rstrip(")") != layout:
        made.warn(f"{prefix.where}: mailtos3 left out letters at the ends of the layout {layout}; now they are in the key")


def _places(made: Draft, written: Sequence[Mapping[str, str]]) -> list[dict[str, object]]:
    """Where POP3 finds the mail of each, but for those whose mail cannot be told from that of others."""
    sharing = Counter(one["url"] for one in written)
    places: dict[str, dict[str, object]] = {}
    for one in written:
        address, prefix = one["address"].lower(), one.get("prefix", "")
        if address == "catchall" or address in places:
            continue
        if is_dated(prefix) and sharing[one["url"]] > 1:
            made.warn(
                f"{one['address']} cannot be read by POP3: its bucket is that of others, too, and its prefix has no name in it"
            )
            continue
        folder = "" if is_dated(prefix) or not prefix else f"{prefix.strip('/')}/"
        more = {**({"nested": True} if is_dated(prefix) else {}), **({"sealed": True} if "kms_key" in one else {})}
        places[address] = {"for": address, "url": one["url"], "prefix": folder, **more}
    return list(places.values())
