"""``sesmail doctor``: all that can be looked at without changing anything, one line each."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from sesmail.aws.dnsrecords import Wanted
from sesmail.cli.checkconfig import try_out
from sesmail.cli.dns import server_of
from sesmail.cli.doctor import dns
from sesmail.cli.doctor.aws import CONNECT, READ, Aws
from sesmail.cli.doctor.files import settings
from sesmail.cli.doctor.finding import Finding, State, note, status, wrong
from sesmail.cli.doctor.looks import of_aws, of_machine, receives, sends
from sesmail.cli.doctor.together import Look, together
from sesmail.cli.domainnames import domain_names
from sesmail.cli.main import EXIT_CONFIG
from sesmail.config.load import load
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config
from sesmail.errors import Malformed

# DNS has ten seconds more; the whole stays below thirty.
_SECONDS = 14.0
# As the unit of the gateway does.
_HANDED_OVER = (
    "systemd-run --pipe --wait --quiet --property=User=sesmail --property=LoadCredential=sesmail:/etc/sesmail/credentials"
    " sesmail doctor"
)
_DENIED = re.compile(r"'?(/[^\s':]+)'?:? cannot be read: Permission denied")


def run(args: argparse.Namespace) -> int:
    """Print what was found: 0 when all is right, 1 when something is wrong, 75 when somebody did not answer, 78 when the configuration cannot
    be used. Raises Malformed for its own arguments."""
    server, given = server_of(args.server), domain_names(args.domain)
    try:
        config = load(args.config)
        try_out(config)
    except ConfigError as error:
        _print([wrong("configuration", str(one), _put_right(str(one))) for one in error.problems], args)
        return EXIT_CONFIG
    except Malformed as error:
        _print([wrong("configuration", str(error), "that file, and sesmail check-config until it says ok")], args)
        return EXIT_CONFIG
    found = [*settings(config), *examined(config, given or own_domains(config), server)]
    _print(found, args)
    return status(found)


def _put_right(problem: str) -> str:
    if "CREDENTIALS_DIRECTORY is not set" in problem:
        return _HANDED_OVER
    denied = _DENIED.search(problem)
    if denied:
        return f"sudo -u sesmail sesmail doctor; if it is denied to that user too: chgrp sesmail {denied[1]} && chmod g+r {denied[1]}"
    return "that line, and sesmail check-config until it says ok"


def own_domains(config: Config) -> list[str]:
    """Those for which there is mail here, as far as the configuration names them."""
    return list(dict.fromkeys([*(config.mailboxes.domains or ()), *config.relay.local_domains, *config.routing.domains]))


def examined(config: Config, domains: Sequence[str], server: tuple[str, int] | None) -> Iterable[Finding]:
    """Everything but the configuration itself, within 30 seconds."""
    # Who is asked is not waited for as long as a gateway would.
    config = replace(config, ses=replace(config.ses, connect_timeout=CONNECT, read_timeout=READ))
    looks = [*of_machine(config), *of_aws(config, domains, Aws(config))]
    by_ses = receives(config) or sends(config)
    wanted: dict[str, Wanted] = {}
    if by_ses and (config.ses.region or config.storage.region):
        for domain in domains:
            looks.append(Look(f"DNS of {domain}", partial(dns.asked_for, config, domain, partial(wanted.__setitem__, domain))))
    yield from together(looks, _SECONDS)
    if wanted:
        yield from dns.records_of([wanted[domain] for domain in domains if domain in wanted], server)
    elif by_ses:
        yield note("DNS", "no domain is named whose records could be looked at", "mailboxes.domains, or --domain")


def _print(found: Sequence[Finding], args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps([one.members for one in found], indent=2))
        return
    for one in found:
        print(one.line)
    counts = {state: sum(one.state is state for one in found) for state in State}
    print(", ".join(f"{count} {state.value}" for state, count in counts.items() if count))
