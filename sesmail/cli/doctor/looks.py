"""What there is to look at, for a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from sesmail.assembly.queues import queue_place
from sesmail.assembly.whom import whom
from sesmail.aws.late import ApiPlace
from sesmail.aws.sessions import bucket as name_of
from sesmail.cli.doctor import aws, bucket, others, queues, receipt, rights, sealed, ses, tables
from sesmail.cli.doctor.aws import Aws
from sesmail.cli.doctor.certificates import certificates
from sesmail.cli.doctor.files import files
from sesmail.cli.doctor.ports import port
from sesmail.cli.doctor.together import Look
from sesmail.config.receivingchecks import is_told
from sesmail.config.stores import default_store
from sesmail.config.table import Config


def of_machine(config: Config) -> list[Look]:
    """Here, and at the servers that the administrator runs himself."""
    found = [Look("files", partial(files, config)), Look("certificates", partial(certificates, config))]
    for option, listeners in config.listeners.items():
        found += [Look(f"port {one.endpoint}", partial(port, config, option, one)) for one in listeners]
    if config.aliases.table == "sqlite":
        found.append(Look("aliases", partial(tables.in_file, config.aliases.file)))
    return [*found, *_of_others(config)]


def _of_others(config: Config) -> Iterator[Look]:
    if config.submission.listeners and config.relay.courier == "smtp":
        yield Look("smarthost", partial(others.smarthost, config))
    if config.lmtp_out.host:
        yield Look("LMTP server", partial(others.lmtp, config))
    if "http" in config.auth.checkers:
        yield Look("login server", partial(others.web, config))
    if "dovecot" in config.auth.checkers:
        yield Look("logins of Dovecot", partial(others.dovecot, config))


def of_aws(config: Config, domains: Sequence[str], asked: Aws) -> list[Look]:
    """There: what is asked by this configuration, and nothing else."""
    found = [*_credentials(config, asked), *_buckets(config, asked)]
    if receives(config):
        found.append(Look("mail that came in", partial(bucket.arrivals, config, asked)))
        found.append(Look("receipt rules", partial(receipt.rules, config, domains, asked)))
    if receives(config) or "pop3" in rights.purposes(config):
        found.append(Look("sealed mail", partial(sealed.sealed, config, asked)))
    if url := config.queue.url:
        found.append(Look(f"queue {url}", partial(queues.notices, config, url, asked)))
    if url := config.queue.dead_letter_url:
        found.append(Look(f"dead letters {url}", partial(queues.dead_letters, config, url, asked)))
    if sends(config):
        found += _sending(config, domains, asked)
    if config.aliases.table == "dynamodb":
        found.append(Look("aliases", partial(tables.in_dynamodb, config, asked)))
    return [*found, *rights.looks(config, domains, asked)]


def receives(config: Config) -> bool:
    """Whether SES puts mail into a bucket for this gateway."""
    return (config.incoming.url or "").startswith("s3://") and (is_told(config) or bool(config.incoming.sweep_every))


def sends(config: Config) -> bool:
    """Whether anything goes out through the API of SES."""
    given = config.routing
    return config.relay.courier == "ses" and bool(config.submission.listeners or given.forward_from or given.bounce_from)


def _sending(config: Config, domains: Sequence[str], asked: Aws) -> Iterator[Look]:
    yield Look("SES account", partial(ses.account, config, domains, asked))
    for domain in domains:
        yield Look(f"SES identity {domain}", partial(ses.identity, config, domain, asked))
    if name := config.ses.configuration_set:
        yield Look(f"SES configuration set {name}", partial(ses.configuration_set, config, name, asked))


def _credentials(config: Config, asked: Aws) -> list[Look]:
    used: dict[ApiPlace, list[str]] = {}
    for section, place in _asked_as(config):
        used.setdefault(place, []).append(section)
    named = [(" and ".join(sections), place) for place, sections in used.items()]
    return [Look(f"credentials of {sections}", partial(aws.credentials, sections, place, asked)) for sections, place in named]


def _asked_as(config: Config) -> Iterator[tuple[str, ApiPlace]]:
    """Sections by as whom they ask, and whether that is AWS."""
    storage = config.storage
    if any(place.url.startswith("s3://") for place in (default_store(config), *bucket.places(config))):
        yield "storage", ApiPlace(region=storage.region, endpoint=storage.endpoint, **whom(storage, config))
    if sends(config) or receives(config):
        yield (
            "ses",
            ApiPlace(region=storage.region or config.ses.region, endpoint=config.ses.endpoint, **whom(config.ses, config)),
        )
    if url := config.queue.url:
        place = queue_place(config, url)
        yield "queue", ApiPlace(region=storage.region or place.region, endpoint=place.endpoint, **whom(config.queue, config))
    if config.aliases.table == "dynamodb":
        given = config.aliases
        yield "aliases", ApiPlace(region=storage.region or given.region, endpoint=given.endpoint, **whom(given, config))


def _buckets(config: Config, asked: Aws) -> Iterator[Look]:
    places = bucket.places(config)
    for place in places:
        yield Look(f"bucket {name_of(place)}", partial(bucket.bucket, place, asked))
    if places:
        where = bucket.where(places[0])
        yield Look("clock", lambda: aws.clock(lambda: asked.s3(places[0]).head_bucket(**where)))
    elif sends(config):
        yield Look("clock", lambda: aws.clock(lambda: asked.ses().get_account()))
