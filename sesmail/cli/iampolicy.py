"""``sesmail iam-policy``: what AWS has to allow, for this configuration and no more."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sesmail.aws import policies
from sesmail.aws.policies import Account, Arrivals, Boxes, Statement
from sesmail.cli.domainnames import domain_names
from sesmail.config.credentials import WHO
from sesmail.config.delivering import DeliverMailbox
from sesmail.config.load import load
from sesmail.config.stores import default_store, prefix_of, store_of
from sesmail.config.table import Config, Storage
from sesmail.errors import Malformed
from sesmail.mail.dated import folder, is_dated

_S3 = "s3://"
_FIELD = re.compile(r"%(.)")
_HELD, _RECORDS = "held/", ".sesmail/"
# No key has it.
_CUT = "\0"


def run(args: argparse.Namespace) -> int:
    """Print the policy. Raises ConfigError; Malformed where the configuration has nothing in AWS for it."""
    config = load(args.config)
    found = [one for purpose in args.purpose for one in statements(purpose, config, args)]
    print(json.dumps(policies.document(found), indent=2))
    return 0


def statements(purpose: str, config: Config, args: argparse.Namespace) -> list[Statement]:
    """What it takes for one of the purposes, in as far as section storage and its neighbours say as whom. `args` has the options of the
    command but for the purposes. Raises Malformed."""
    account = Account(args.region or config.ses.region or config.storage.region or "*", args.account or _number(config))
    return list(_PURPOSES[purpose](config, account, domain_names(args.domain), args))


def _number(config: Config) -> str:
    found = re.search(r"/(\d{12})/", config.queue.url or config.queue.dead_letter_url or "")
    return found[1] if found else config.storage.expected_bucket_owner or "*"


def _pop3(config: Config, account: Account, domains: Sequence[str], args: argparse.Namespace) -> Iterable[Statement]:
    boxes = _boxes(config, domains)
    yield from policies.pop3(account, boxes, alone=bool(domains), locks=config.mailboxes.lock == "bucket")
    yield from policies.read(account, _bucket(config.storage.url), _passwd_keys(config, boxes, domains))
    yield from policies.unseal([*args.key, *_keys(_own(config, domains)), *_keys([config.storage])])
    if config.mailboxes.lock == "bucket":
        yield from policies.seal(_keys([config.storage]))


def _sort(config: Config, account: Account, domains: Sequence[str], args: argparse.Namespace) -> Iterable[Statement]:
    incoming, routing = config.incoming, config.routing
    url = incoming.url or config.storage.url
    prefixes = [incoming.prefix, *(one.prefix for one in incoming.mailboxes)]
    yield from policies.sort(account, Arrivals(_bucket(url), prefixes), _boxes(config, domains))
    yield from policies.queues(account, [url for url in (config.queue.url, config.queue.dead_letter_url) if url])
    if config.sns.confirm == "api":
        yield from policies.confirm(config.sns.topics)
    yield from _forwarding(config, account)
    if routing.bounce_from:
        yield from policies.bounce(account, _domain(routing.bounce_from))
    if config.feedback.suppress:
        yield from policies.suppress()
    yield from _looked_up(config, account, args)
    yield from policies.unseal([*args.key, *_keys([config.storage])])
    yield from policies.seal(_keys([config.storage]))


def _submit(config: Config, account: Account, domains: Sequence[str], args: argparse.Namespace) -> Iterable[Statement]:
    ours = domains or config.mailboxes.domains
    if not ours:
        raise Malformed("as which domains mail is sent is not known: name them with --domain, or in mailboxes.domains")
    yield from _sent(config, account, ours)
    yield from policies.quota()
    yield from _looked_up(config, account, args)


def _deliver(config: Config, account: Account, domains: Sequence[str], args: argparse.Namespace) -> Iterable[Statement]:
    """Mailboxes of section deliver; where storage is a bucket also all that routing leads to."""
    own = _own(config, domains)
    boxes = [Boxes(_bucket(one.url or config.storage.url), [_undated(one.prefix)]) for one in own]
    if not own or config.storage.url.startswith(_S3):
        incoming = _bucket(config.incoming.url or config.storage.url)
        boxes += [*_boxes(config, domains), Boxes(incoming, [_HELD, _RECORDS])]
        yield from policies.listing(account, _bucket(config.storage.url))
        yield from policies.read(account, _bucket(config.storage.url), _passwd_keys(config, [], domains))
        yield from policies.read(account, incoming, [f"{_HELD}*", f"{_RECORDS}*"])
        yield from policies.unseal(_keys([config.storage]))
        yield from _forwarding(config, account)
        yield from _looked_up(config, account, args)
    yield from policies.deliver(account, _together(boxes))
    yield from policies.seal([*args.key, *_keys(own), *_keys([config.storage])])


def _own(config: Config, domains: Sequence[str]) -> list[DeliverMailbox]:
    return [one for one in config.deliver.mailboxes if _asked(one.address, domains)]


def _keys(own: Sequence[DeliverMailbox | Storage]) -> list[str]:
    """The ARNs of their keys; an alias is no resource of a policy."""
    given = (one.kms_key if isinstance(one, DeliverMailbox) else one.encryption_key for one in own)
    named = list(dict.fromkeys(key for key in given if key))
    for key in named:
        if ":key/" not in key:
            print(f"name the key {key} by its ARN, with --key", file=sys.stderr)
    return [key for key in named if ":key/" in key]


def _undated(prefix: str) -> str:
    """What all keys begin with, whatever the date is."""
    return "" if is_dated(prefix) else folder(prefix, datetime.fromtimestamp(0, UTC))


def _together(boxes: Sequence[Boxes]) -> list[Boxes]:
    """One for each bucket."""
    found: dict[str, list[str]] = {}
    for one in boxes:
        found.setdefault(one.bucket, []).extend(one.prefixes)
    return [Boxes(bucket, _without_inner(prefixes)) for bucket, prefixes in found.items()]


def _aliases(config: Config, account: Account, domains: Sequence[str], args: argparse.Namespace) -> Iterable[Statement]:
    table = args.table or config.aliases.dynamodb_table
    if table is None:
        raise Malformed("name the table of aliases with --table, or in aliases.dynamodb_table")
    yield from policies.aliases(_of_aliases(config, account, args), table)


def _looked_up(config: Config, account: Account, args: argparse.Namespace) -> list[Statement]:
    table = config.aliases.dynamodb_table if config.aliases.table == "dynamodb" else None
    return policies.look_up(_of_aliases(config, account, args), table) if table else []


def _of_aliases(config: Config, account: Account, args: argparse.Namespace) -> Account:
    return account if args.region else replace(account, region=config.aliases.region or account.region)


def _doctor(config: Config, account: Account, domains: Sequence[str], args: argparse.Namespace) -> Iterable[Statement]:
    urls = [url for url in (config.queue.url, config.queue.dead_letter_url) if url]
    yield from policies.look(account, urls, domains or config.mailboxes.domains or ["*"], config.ses.configuration_set)


_PURPOSES: dict[str, Callable[[Config, Account, Sequence[str], argparse.Namespace], Iterable[Statement]]] = {
    "pop3": _pop3,
    "sort": _sort,
    "submit": _submit,
    "deliver": _deliver,
    "aliases": _aliases,
    "doctor": _doctor,
}


def _forwarding(config: Config, account: Account) -> Iterable[Statement]:
    if config.routing.forward_from:
        yield from _sent(config, account, [_domain(config.routing.forward_from)])
        yield from policies.quota()


def _sent(config: Config, account: Account, domains: Sequence[str]) -> list[Statement]:
    ses = config.ses
    return policies.send(account, domains, configuration_set=ses.configuration_set, identity=ses.source_arn)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _boxes(config: Config, domains: Sequence[str]) -> list[Boxes]:
    """Where mailboxes are that are read with the credentials of section storage; others have rights of their own."""
    places = _places(config, domains)
    return _together([Boxes(_bucket(url), list(_prefixes(template, domains))) for url, template in places])


def _places(config: Config, domains: Sequence[str]) -> Iterable[tuple[str, str]]:
    store = default_store(config).url
    yield store, config.mailboxes.template
    yield from ((store, user.prefix) for user in config.auth.users if user.prefix is not None and _asked(user.name, domains))
    for place in config.mailboxes.places:
        if _asked(place.for_, domains) and not any(getattr(place, name) is not None for name in WHO):
            yield store_of(place, config).url, prefix_of(place, config)


def _asked(name: str, domains: Sequence[str]) -> bool:
    return not domains or _domain(name) in domains


def _passwd_keys(config: Config, boxes: Sequence[Boxes], domains: Sequence[str]) -> list[str]:
    """Those that do not lie where the mailboxes are."""
    covered = tuple(prefix for one in boxes for prefix in one.prefixes if one.bucket == _bucket(config.storage.url))
    file = config.auth.passwd_file or ""
    keys = [_filled(config.mailboxes.passwd, domain, "*") for domain in domains or ("*",)]
    return [key for key in (*keys, file) if key and not key.startswith(("/", *covered))]


def _prefixes(template: str, domains: Sequence[str]) -> Iterable[str]:
    """What keys begin with, up to where users differ, or domains if none is named."""
    return [_filled(template, domain, _CUT).partition(_CUT)[0] for domain in domains or (_CUT,)]


def _filled(template: str, domain: str, user: str) -> str:
    return _FIELD.sub(lambda found: {"d": domain, "u": user}.get(found[1], found[1]), template)


def _without_inner(prefixes: Sequence[str]) -> list[str]:
    """Without those that others cover."""
    different = list(dict.fromkeys(prefixes))
    return [one for one in different if not any(one != other and one.startswith(other) for other in different)]


def _bucket(url: str) -> str:
    if not url.startswith(_S3):
        raise Malformed(f"mail does not lie in a bucket, but in {url or 'a folder of this machine'}")
    return urlsplit(url).netloc
