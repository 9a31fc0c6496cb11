"""DNS, beside what `sesmail dns` prints."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sesmail.aws.dnsrecords import State, Wanted, records, zone
from sesmail.cli.dnswanted import wanted, without_keys
from sesmail.cli.doctor.finding import Finding, good, note, unknown, wrong
from sesmail.cli.untildone import outcome_of
from sesmail.config.table import Config
from sesmail.errors import MailError

if TYPE_CHECKING:
    from sesmail.service.dnscheck import Found

# Without these mail comes and goes as well.
_COMFORTS = ("autoconfig.", "mta-sts.", "_mta-sts.", "_smtp._tls.")


def asked_for(config: Config, domain: str, put: Callable[[Wanted], object]) -> Iterator[Finding]:
    """What DNS has to say of a domain, for `put`: blocks, as SES is asked for its tokens. Without an answer only they are left out."""
    args = argparse.Namespace(region=None, host=None, mail_from="mail", dkim=[], dmarc="none", reports=None, enforce=False)
    try:
        put(wanted(args, config, domain))
    except MailError as error:
        put(without_keys(args, config, domain))
        yield unknown(f"DNS of {domain} for DKIM", str(error), f"sesmail dns --domain {domain} --check")


def records_of(found: Sequence[Wanted], server: tuple[str, int] | None) -> Iterator[Finding]:
    """Each record of these domains; blocks until all are answered, or nobody has for ten seconds. To be called once, in the main thread."""
    # Only now: the reactor installs itself when it is imported.
    from twisted.internet import reactor

    from sesmail.service.dnscheck import check, resolver

    asked: Any = resolver(reactor, server)

    async def ask() -> list[list[Found]]:
        return [await check(asked, records(one)) for one in found]

    answered: list[list[Found]] = outcome_of(reactor, ask())
    for its in answered:
        yield from map(_finding, its)


def _finding(found: Found) -> Finding:
    record = found.record
    about = f"DNS {record.name} {record.type}"
    if found.state is State.GOOD:
        return good(about, "as it has to be")
    if found.state is State.UNKNOWN:
        return unknown(about, "DNS did not answer")
    mend = " ".join(zone([record]).split())
    if not found.answers and (record.type == "SRV" or record.name.startswith(_COMFORTS)):
        return note(about, f"missing: {record.why}", mend)
    there = f"there is {', '.join(map(repr, found.answers))}: " if found.answers else "missing: "
    return wrong(about, f"{there}{record.why}", mend)
