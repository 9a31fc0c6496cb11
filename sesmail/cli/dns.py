"""``sesmail dns``: the records that domains need, and whether DNS has them."""

from __future__ import annotations

import argparse
import ipaddress
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sesmail.aws.dnsrecords import Record, Wanted, records, sts_policy, zone
from sesmail.cli.dnswanted import wanted
from sesmail.cli.domainnames import domain_names
from sesmail.cli.main import EXIT_FAILED, EXIT_TEMPORARY
from sesmail.cli.untildone import outcome_of
from sesmail.config.load import load
from sesmail.errors import Malformed

_PORT = 53


def run(args: argparse.Namespace) -> int:
    """Print the records, or with ``--check`` what DNS says of them: 1 when something is missing or wrong, 75 when DNS did not answer.

    Raises ConfigError, Malformed, and Unavailable when SES cannot be asked for its tokens.
    """
    config = load(args.config)
    found = [wanted(args, config, name) for name in domain_names(args.domain)]
    if not found[0].host:
        print("no records for mail programs: name the gateway with --host, or in submission.hostname", file=sys.stderr)
    if args.check:
        return _check(found, args)
    if args.json:
        _print_json(found, [[{}] * len(records(one)) for one in found])
    else:
        print("\n".join(map(_as_zone, found)), end="")
    return 0


def _as_zone(wanted: Wanted) -> str:
    policy = "".join(f";     {line}\n" for line in sts_policy(wanted).splitlines())
    where = f"https://mta-sts.{wanted.domain}/.well-known/mta-sts.txt"
    return f"; {wanted.domain}\n{zone(records(wanted))}; {where} has to be\n{policy}"


def _print_json(found: Sequence[Wanted], more: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """`more` is what is known of each record of each domain."""
    print(json.dumps({one.domain: _as_json(one, its) for one, its in zip(found, more, strict=True)}, indent=2))


def _as_json(wanted: Wanted, more: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = [{**_fields(record), **its} for record, its in zip(records(wanted), more, strict=True)]
    return {"records": found, "mta_sts_policy": sts_policy(wanted)}


def _fields(record: Record) -> dict[str, str]:
    return {"name": record.name, "type": record.type, "answer": record.answer, "without": record.why}


def _check(found: Sequence[Wanted], args: argparse.Namespace) -> int:
    # Only now: the reactor installs itself when it is imported.
    from twisted.internet import reactor

    from sesmail.service.dnscheck import Found, State, check, resolver

    asked = resolver(reactor, _server(args.server))

    async def ask() -> list[list[Found]]:
        return [await check(asked, records(one)) for one in found]

    answered: list[list[Found]] = outcome_of(reactor, ask())
    if args.json:
        _print_json(found, [[{"state": one.state.value, "found": list(one.answers)} for one in its] for its in answered])
    else:
        print("\n".join(_line(one.record, one.state.value, one.answers) for its in answered for one in its))
    states = {one.state for its in answered for one in its}
    if states & {State.MISSING, State.OTHER}:
        return EXIT_FAILED
    return EXIT_TEMPORARY if State.UNKNOWN in states else 0


def _server(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.partition(":")
    try:
        return str(ipaddress.IPv4Address(host)), int(port) if port else _PORT
    except ValueError:
        raise Malformed("--server must be an IPv4 address, with a colon and a port if that is not 53") from None


def _line(record: Record, state: str, answers: Sequence[str]) -> str:
    said = f"{state:8}{record.name} {record.type}"
    if state == "ok":
        return said
    if state == "unknown":
        return f"{said}: DNS did not answer"
    there = f"there is {', '.join(map(repr, answers))}; " if answers else ""
    return f"{said}: {there}should be {record.answer!r}, or {record.why}"
