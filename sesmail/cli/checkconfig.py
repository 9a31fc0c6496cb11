"""``sesmail check-config``: load the configuration as the service would, and say what would be served."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from sesmail.aliases import postfixmap
from sesmail.config.listeners import is_beyond_this_machine
from sesmail.config.load import load
from sesmail.config.problems import ConfigError
from sesmail.config.receivingchecks import is_told
from sesmail.config.stores import default_store, prefix_of, store_of
from sesmail.config.table import Config
from sesmail.interfaces import NO_STORE, StorePlace

_NAMES = {
    "pop3.listeners": "POP3",
    "submission.listeners": "submission",
    "sns.listeners": "SNS",
    "lmtp.listeners": "LMTP",
    "page.listeners": "page",
    "monitor.listeners": "monitor",
}
_TLS = {"implicit": "TLS from the start", "starttls": "TLS offered", "none": "no TLS"}


def run(args: argparse.Namespace) -> int:
    """Print ``ok`` and a summary, warnings on standard error. Raises ConfigError for what cannot be used, Malformed for such a table
    of aliases."""
    config = load(args.config)
    try_out(config)
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"ok: {config.source or 'no file, the defaults'}")
    for line in summary(config):
        print(line)
    return 0


def try_out(config: Config) -> None:
    """Whatever can be known without asking anybody. Raises ConfigError, Malformed."""
    if config.aliases.map is not None:
        postfixmap.load(config.aliases.map)
    # Imported only where something is said about mail that comes in.
    if not any((config.routing.routes, config.routing.catch_all, config.routing.in_store, config.lmtp_out.ca_file)):
        return
    from contextlib import ExitStack

    from sesmail.assembly.agents import lmtp_agent
    from sesmail.assembly.routing import bad_targets

    if problems := list(bad_targets(config)):
        raise ConfigError(problems)
    with ExitStack() as end:
        lmtp_agent(config, end)


def summary(config: Config) -> Iterator[str]:
    """A few plain lines about what is served from where, without any secret."""
    for option, listeners in config.listeners.items():
        for listener in listeners:
            trusted = f", behind {', '.join(listener.trusted)}" if listener.trusted else ""
            yield f"{_NAMES[option]}: {listener.endpoint}, {_TLS[listener.tls]}{trusted}"
    if config.submission.listeners:
        yield from _sending(config)
    yield from _receiving(config)
    if config.page.listeners:
        yield f"page at: {config.page.base}/, administrators: {', '.join(config.page.admins) or 'none'}"
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


def _receiving(config: Config) -> Iterator[str]:
    incoming = config.incoming
    if is_told(config) or incoming.sweep_every:
        yield f"mail comes in: {incoming.url}, {incoming.prefix or 'at its top'}"
    if config.queue.url is not None:
        yield f"told of by: {config.queue.url}"
    for topic in config.sns.topics if config.sns.listeners else ():
        yield f"told of by: {topic}"
    if config.queue.dead_letter_url is not None:
        yield f"dead letters: {config.queue.dead_letter_url}, every {config.queue.dead_letter_every:g} s"
    if incoming.sweep_every:
        yield f"looked for every {incoming.sweep_every:g} s, when older than {incoming.sweep_after:g} s"
    if config.lmtp_out.host:
        port = "" if config.lmtp_out.host.startswith("/") else f" port {config.lmtp_out.port}"
        yield f"LMTP to: {config.lmtp_out.host}{port}{', for all accounts' if config.routing.accounts == 'lmtp' else ''}"
    if any(is_beyond_this_machine(one.endpoint) for one in config.lmtp.listeners):
        yield f"LMTP from: {', '.join(config.lmtp.clients)}"
    for box in config.deliver.mailboxes:
        sealed = f", encrypted with {box.kms_key}" if box.kms_key else ""
        yield f"delivered for {box.address}: {box.url or config.storage.url}, {box.prefix or 'at its top'}{sealed}"


def _certificates(config: Config) -> Iterator[str]:
    for one in config.tls.certificates:
        yield f"certificate: {one.certificate}"
    if not config.tls.certificates and any(one.tls != "none" for found in config.listeners.values() for one in found):
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
