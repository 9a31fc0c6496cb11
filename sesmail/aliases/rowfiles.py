"""Aliases as rows of files: lines of JSON, and CSV with the columns of tacomail's ``etl.js`` and a few more."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sesmail.aliases.addresses import alias_address, checked_alias, destination
from sesmail.aliases.records import Alias
from sesmail.errors import Malformed

T = TypeVar("T")

COLUMNS = (
    "alias_id",
    "identifier",
    "alias_address",
    "subdomain",
    "full_address",
    "destination",
    "created",
    "modified",
    "active_alias",
    "ignore_alias",
    "use_count",
    "application",
    "destinations",
    "owner",
    "description",
)
LINE_CHARACTERS = 64 * 1024
_NOTHING = ("", "NULL", "\\N", "null")
_SWITCHES = {"1": True, "true": True, "0": False, "false": False}
# What an integer of SQLite holds.
_MOST = 2**63 - 1


@dataclass(frozen=True)
class Blanks:
    """What a row gets that does not say: a time in seconds, an identifier, an owner."""

    now: int
    new_id: Callable[[], str]
    owner: str = ""


def of_json(lines: Iterable[str], blanks: Blanks) -> Iterator[tuple[int, Alias | Malformed]]:
    """Each line with its number; what it says, or what is wrong with it. Blank lines are skipped."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _tried(_object, line, blanks)


def of_csv(lines: Iterable[str], blanks: Blanks) -> Iterator[tuple[int, Alias | Malformed]]:
    """As of_json. The first line names the columns. Raises Malformed for one that has none we know."""
    reader = csv.DictReader(lines, strict=True)
    names = reader.fieldnames or ()
    if "full_address" not in names and not {"alias_address", "subdomain"} <= set(names):
        raise Malformed("the first line names the columns: full_address, or alias_address and subdomain, and others")
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, Malformed(f"not CSV: {error}")
            return
        yield reader.line_num, _tried(_from_csv, row, blanks)


def json_lines(aliases: Iterable[Alias]) -> Iterator[str]:
    """Each with its line end."""
    for alias in aliases:
        said = {
            "address": alias.address,
            "destinations": alias.destinations,
            "active": alias.active,
            "ignore": alias.ignore,
            "owner": alias.owner,
            "description": alias.description,
            "identifier": alias.identifier,
            "created": alias.created,
            "modified": alias.modified,
            "use_count": alias.use_count,
        }
        yield json.dumps(said, ensure_ascii=False) + "\n"


def csv_lines(aliases: Iterable[Alias]) -> Iterator[str]:
    """The names of the columns, then a line for each."""
    yield _line(COLUMNS)
    for number, alias in enumerate(aliases, 1):
        yield _line(
            (
                number,
                alias.identifier,
                alias.local,
                alias.domain,
                alias.address,
                next(iter(alias.destinations), ""),
                _moment(alias.created),
                _moment(alias.modified),
                int(alias.active),
                int(alias.ignore),
                alias.use_count,
                "tacomail",
                " ".join(alias.destinations),
                alias.owner,
                alias.description,
            )
        )


def _tried(read: Callable[[T], Mapping[str, Any]], row: T, blanks: Blanks) -> Alias | Malformed:
    try:
        return _alias(read(row), blanks)
    except Malformed as error:
        return error


def _object(line: str) -> Mapping[str, Any]:
    if len(line) > LINE_CHARACTERS:
        raise Malformed(f"a line has at most {LINE_CHARACTERS} characters")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise Malformed("not a line of JSON") from None
    if not isinstance(said, dict):
        raise Malformed('a line is an object: {"address": "name@example.com", "destinations": ["S3"]}')
    return said


def _from_csv(row: Mapping[str | Any, Any]) -> Mapping[str, Any]:
    if row.get(None):
        raise Malformed("there are more values than columns")
    said = {str(name): value.strip() for name, value in row.items() if isinstance(value, str) and value.strip() not in _NOTHING}
    listed = said.get("destinations", "").split() or [said.get("destination", "S3")]
    return {
        "address": said.get("full_address") or f"{said.get('alias_address', '')}@{said.get('subdomain', '')}",
        "destinations": listed,
        "active": said.get("active_alias", "1"),
        "ignore": said.get("ignore_alias", "0"),
        **{
            name: said[name]
            for name in ("identifier", "created", "modified", "use_count", "owner", "description")
            if name in said
        },
    }


def _alias(said: Mapping[str, Any], blanks: Blanks) -> Alias:
    local, domain = alias_address(_text(said, "address"))
    created = _seconds(said, "created", blanks.now)
    alias = Alias(
        local,
        domain,
        tuple(dict.fromkeys(destination(one) for one in _destinations(said))),
        identifier=_text(said, "identifier") or blanks.new_id(),
        active=_switch(said, "active", True),
        ignore=_switch(said, "ignore", False),
        owner=_text(said, "owner") or blanks.owner,
        description=_text(said, "description"),
        created=created,
        modified=_seconds(said, "modified", created),
        use_count=_number(said, "use_count", 0),
    )
    checked_alias(alias)
    return alias


def _destinations(said: Mapping[str, Any]) -> list[str]:
    found = said.get("destinations", ["S3"])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Malformed("destinations is a list of addresses")
    return found


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name) or ""
    if not isinstance(value, str):
        raise Malformed(f"{name} is text")
    return value


def _switch(said: Mapping[str, Any], name: str, default: bool) -> bool:
    value = said.get(name, default)
    if isinstance(value, bool):
        return value
    if str(value).lower() not in _SWITCHES:
        raise Malformed(f"{name} is 0 or 1")
    return _SWITCHES[str(value).lower()]


def _number(said: Mapping[str, Any], name: str, default: int) -> int:
    value = said.get(name, default)
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _MOST):
        raise Malformed(f"{name} is a whole number")
    return int(text)


def _seconds(said: Mapping[str, Any], name: str, default: int) -> int:
    value = said.get(name)
    if not isinstance(value, str) or value.isdigit():
        return _number(said, name, default)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise Malformed(f"{name} is a time such as 2026-01-31 12:00:00, or seconds since 1970") from None
    # What has no zone is UTC in tacomail's files.
    return max(0, int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()))


def _moment(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
