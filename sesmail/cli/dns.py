"""``sesmail dns``: the records that domains need, and whether DNS has them."""

from __future__ import annotations

import argparse
import ipaddress
import json
import ssl
import sys
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from sesmail.aws.dnsrecords import Record, State, Wanted, records, zone
from sesmail.aws.https import Https
from sesmail.cli.dnsfiles import Got, files, got
from sesmail.cli.dnswanted import wanted
from sesmail.cli.domainnames import domain_names
from sesmail.cli.main import EXIT_FAILED, EXIT_TEMPORARY
from sesmail.cli.untildone import outcome_of
from sesmail.config.load import load
from sesmail.errors import Malformed

if TYPE_CHECKING:
    from sesmail.service.dnscheck import Found

_PORT = 53


def run(args: argparse.Namespace) -> int:
    """Print the records, or with ``--check`` what DNS says of them: 1 when something is missing or wrong, 75 when somebody did not answer.

    Raises ConfigError, Malformed, and Unavailable when SES cannot be asked for its tokens.
    """
    if args.files and not args.check:
        raise Malformed("--files goes with --check: without it the files are printed")
    config = load(args.config)
    found = [wanted(args, config, name) for name in domain_names(args.domain)]
    if not found[0].host:
        print("no records for mail programs: name the gateway with --host, or in submission.hostname", file=sys.stderr)
    if args.check:
        return _check(found, args)
    if args.json:
        _print_json(found)
    else:
        print("\n".join(map(_as_zone, found)), end="")
    return 0


def _as_zone(wanted: Wanted) -> str:
    served = "".join(f"; {one.url} has to be\n{_as_comment(one.content)}" for one in files(wanted))
    return f"; {wanted.domain}\n{zone(records(wanted))}{served}"


def _as_comment(content: str) -> str:
    return "".join(f";     {line}\n" for line in content.splitlines())


def _print_json(
    found: Sequence[Wanted], answered: Sequence[Sequence[Found]] = (), served: Sequence[Sequence[Got]] = ()
) -> None:
    """`answered` and `served` are what is known of the records and files of each domain, where anything is."""
    whole: dict[str, Any] = {}
    nothing: Sequence[Any] = [()] * len(found)
    for one, its, theirs in zip(found, answered or nothing, served or nothing, strict=True):
        known = [{"state": record.state.value, "found": list(record.answers)} for record in its]
        states = [{"state": file.state.value, "said": file.said} for file in theirs]
        pages = [{"url": file.url, "content": file.content, "without": file.why} for file in files(one)]
        whole[one.domain] = {"records": _with(list(map(_fields, records(one))), known), "files": _with(pages, states)}
    print(json.dumps(whole, indent=2))


def _with(found: Sequence[Mapping[str, Any]], more: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, **its} for one, its in zip(found, more or [{}] * len(found), strict=True)]


def _fields(record: Record) -> dict[str, str]:
    return {"name": record.name, "type": record.type, "answer": record.answer, "without": record.why}


def _check(found: Sequence[Wanted], args: argparse.Namespace) -> int:
    # Only now: the reactor installs itself when it is imported.
    from twisted.internet import reactor

    from sesmail.service.dnscheck import check, resolver

    asked = resolver(reactor, server_of(args.server))

    async def ask() -> list[list[Found]]:
        return [await check(asked, records(one)) for one in found]

    answered: list[list[Found]] = outcome_of(reactor, ask())
    served = _looked_for(found) if args.files else []
    if args.json:
        _print_json(found, answered, served)
    else:
        lines = [_line(one.record, one.state, one.answers) for its in answered for one in its]
        print("\n".join([*lines, *(_file_line(one) for its in served for one in its)]))
    return _status({one.state for its in answered for one in its} | {one.state for its in served for one in its})


def _looked_for(found: Sequence[Wanted]) -> list[list[Got]]:
    https = Https(ssl.create_default_context())
    return [[got(file, https.get) for file in files(one)] for one in found]


def _status(states: Set[State]) -> int:
    if states & {State.MISSING, State.OTHER}:
        return EXIT_FAILED
    return EXIT_TEMPORARY if State.UNKNOWN in states else 0


def server_of(text: str | None) -> tuple[str, int] | None:
    """The DNS server that an argument names, if any. Raises Malformed."""
    if text is None:
        return None
    host, _, port = text.partition(":")
    try:
        return str(ipaddress.IPv4Address(host)), int(port) if port else _PORT
    except ValueError:
        raise Malformed("--server must be an IPv4 address, with a colon and a port if that is not 53") from None


def _line(record: Record, state: State, answers: Sequence[str]) -> str:
    said = f"{state.value:8}{record.name} {record.type}"
    if state is State.GOOD:
        return said
    if state is State.UNKNOWN:
        return f"{said}: DNS did not answer"
    there = f"there is {', '.join(map(repr, answers))}; " if answers else ""
    return f"{said}: {there}should be {record.answer!r}, or {record.why}"


def _file_line(one: Got) -> str:
    said = f"{one.state.value:8}{one.file.url} file"
    if one.state is State.GOOD:
        return said
    if one.state is State.UNKNOWN:
        return f"{said}: no answer ({one.said})"
    return f"{said}: {one.said or 'says something else'}; should be as `sesmail dns` prints it, or {one.file.why}"
