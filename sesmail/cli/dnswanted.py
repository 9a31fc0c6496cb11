"""What is wanted of DNS, from the command line, the configuration and SES."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace

from sesmail.assembly.couriers import ses_client
from sesmail.aws.dnsrecords import Service, Wanted
from sesmail.aws.identities import Dkim, dkim, keys_of
from sesmail.cli.domainnames import host_name, label
from sesmail.config.addresses import ADDRESS
from sesmail.config.listeners import Listener, is_beyond_this_machine
from sesmail.config.problems import BadValue
from sesmail.config.table import Config
from sesmail.errors import Malformed

_TOKEN = re.compile(r"[a-z0-9]{10,63}")
# Services by their names in DNS: whose listeners, with which TLS, and the port where that is not the listener's to say.
_SERVICES = (
    ("_pop3s", "pop3", "implicit", 995),
    ("_pop3", "pop3", "starttls", 110),
    ("_submissions", "submission", "implicit", 465),
    ("_submission", "submission", "starttls", 587),
)
_NOT_HERE = ("_imaps", "_imap")


def wanted(args: argparse.Namespace, config: Config, name: str) -> Wanted:
    """Of one domain. Raises Malformed, and Unavailable when SES cannot be asked for its tokens."""
    known = without_keys(args, config, name)
    keys = _given(args.dkim, known.region) or _asked(config, known.region, name)
    return replace(known, tokens=keys.tokens, signer=keys.zone)


def without_keys(args: argparse.Namespace, config: Config, name: str) -> Wanted:
    """The same without the records of DKIM, for which nobody has to be asked. Raises Malformed."""
    region = args.region or config.ses.region or config.storage.region
    if not region:
        raise Malformed("name the region of SES with --region")
    return Wanted(
        name,
        region,
        mail_from=label("--mail-from", args.mail_from),
        host=host_name("--host", args.host) if args.host else config.submission.hostname or None,
        services=_services(config),
        dmarc=args.dmarc,
        reports=_address(args.reports),
        enforce=args.enforce,
    )


def _given(tokens: Sequence[str], region: str) -> Dkim | None:
    if not all(map(_TOKEN.fullmatch, tokens)):
        raise Malformed("--dkim must be a token of SES, letters and digits")
    return Dkim(tuple(tokens), keys_of(region)) if tokens else None


def _asked(config: Config, region: str, name: str) -> Dkim:
    """In this region, whatever the configuration says."""
    return dkim(ses_client(replace(config, ses=replace(config.ses, region=region)))(), name, region)


def _address(text: str | None) -> str | None:
    try:
        return None if text is None else str(ADDRESS.parse(text))
    except BadValue as error:
        raise Malformed(f"--reports {error}") from None


def _services(config: Config) -> list[Service]:
    """Those that others than this machine can reach; all of them where nothing is configured."""
    found = []
    for name, section, tls, port in _SERVICES:
        if config.source is None:
            found.append(Service(name, port))
            continue
        listeners: Sequence[Listener] = getattr(config, section).listeners
        ports = (_port(one, port) for one in listeners if one.tls == tls)
        found.append(Service(name, next((one for one in ports if one), None)))
    return [*found, *(Service(name, None) for name in _NOT_HERE)]


def _port(listener: Listener, usual: int) -> int | None:
    if listener.endpoint.startswith("haproxy:"):
        return usual
    if not is_beyond_this_machine(listener.endpoint):
        return None
    found = re.match(r"tcp6?:(\d+)", listener.endpoint)
    return int(found[1]) if found else usual
