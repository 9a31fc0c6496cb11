"""``sesmail check-config``: load the configuration as the service would, and say what would be served."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from sesmail.aliases import postfixmap
from sesmail.config.load import load
from sesmail.config.stores import default_store, prefix_of, store_of
from sesmail.config.table import Config
from sesmail.interfaces import NO_STORE, StorePlace

_TLS = {"implicit": "TLS from the start", "starttls": "TLS offered", "none": "no TLS"}


def run(args: argparse.Namespace) -> int:
    """Print ``ok`` and a summary, warnings on standard error. Raises ConfigError for what cannot be used, Malformed for such a table
    of aliases."""
    config = load(args.config)
    if config.aliases.map is not None:
        postfixmap.load(config.aliases.map)
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"ok: {config.source or 'no file, the defaults'}")
    for line in summary(config):
        print(line)
    return 0


def summary(config: Config) -> Iterator[str]:
    """A few plain lines about what is served from where, without any secret."""
    for name, listeners in (("POP3", config.pop3.listeners), ("submission", config.submission.listeners)):
        for listener in listeners:
            trusted = f", behind {', '.join(listener.trusted)}" if listener.trusted else ""
            yield f"{name}: {listener.endpoint}, {_TLS[listener.tls]}{trusted}"
    if config.submission.listeners:
        yield from _sending(config)
    yield from _certificates(config)
    if config.storage.url == NO_STORE:
        yield "mail: none, but for logins that bring a bucket with them"
    else:
        yield f"mail: {_store(default_store(config))}, {config.mailboxes.template}"
    for place in config.mailboxes.places:
        yield f"mail of {place.for_}: {_store(store_of(place, config))}, {prefix_of(place, config)}"
    domains = config.mailboxes.domains
    yield f"domains: {'any' if domains is None else ', '.join(domains)}"
    yield from _logins(config)


def _sending(config: Config) -> Iterator[str]:
    relay = config.relay
    hops = {
        "ses": f"SES in {config.ses.region or config.storage.region or 'the region of the AWS settings'}",
        "smtp": f"{config.smarthost.host}:{config.smarthost.port}",
        "outbox": f"nobody; it goes into {relay.outbox}",
    }
    yield f"mail goes to: {hops[relay.courier]}"
    if relay.local_domains:
        yield f"mail that stays here: {', '.join(relay.local_domains)}"
    yield f"spool: {relay.spool}"
    if config.aliases.map is not None:
        yield f"aliases: {config.aliases.map}"


def _certificates(config: Config) -> Iterator[str]:
    for one in config.tls.certificates:
        yield f"certificate: {one.certificate}"
    if not config.tls.certificates and any(one.tls != "none" for one in (*config.pop3.listeners, *config.submission.listeners)):
        yield f"certificate: self-signed, in {config.service.state_dir}"


def _store(store: StorePlace) -> str:
    return store.url + (f" at {store.endpoint}" if store.endpoint else "")


def _logins(config: Config) -> Iterator[str]:
    count = len(config.auth.users)
    said = {
        "static": f"logins: {count} user{'' if count == 1 else 's'} of this configuration",
        "passwd": f"logins: password files {config.mailboxes.passwd}",
        "passwd-file": f"logins: password file {config.auth.passwd_file}",
        "jwt": "logins: signed tokens",
        "http": f"logins: {(config.auth.http_url or '').partition('?')[0]}",
        "dovecot": f"logins: Dovecot at {config.auth.dovecot}",
    }
    for name in config.auth.checkers:
        yield said.get(name, f"logins: {name}")
