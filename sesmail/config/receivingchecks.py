"""What single options of receiving cannot know: options that need, forbid or contradict one another, and files that must be there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sesmail.config import credentials, overlaps
from sesmail.config.listeners import is_beyond_this_machine, refuse_plain
from sesmail.config.read import Reading
from sesmail.config.receiving import CatchAll, Route, Routing
from sesmail.config.table import Config
from sesmail.interfaces import NO_STORE

SWEEP_EVERY = 900.0
# SQS keeps no notice longer.
_LONGEST_NOTICE = 14 * 86400.0


def is_told(config: Config) -> bool:
    """Whether this gateway takes notices of mail that comes in."""
    return config.queue.url is not None or bool(config.sns.listeners)


def sweep_every(config: Config) -> float:
    """Seconds between two sweeps, 0.0 for none."""
    given = config.incoming.sweep_every
    if given is not None:
        return given
    return SWEEP_EVERY if is_told(config) or not config.incoming.notices else 0.0


def incoming(config: Config, reading: Reading) -> None:
    """Section incoming, beside the mailboxes."""
    given = config.incoming
    wanted = is_told(config) or sweep_every(config) > 0
    url = given.url or config.storage.url
    if wanted and url == NO_STORE:
        reading.refuse("incoming.url", "is not set, and storage.url is none: mail that comes in must lie somewhere")
    elif is_told(config) and not url.startswith("s3://"):
        told = "queue.url" if config.queue.url else "sns.listeners"
        reading.refuse(told, "tells of mail in a bucket, and neither incoming.url nor storage.url is one")
    _once("incoming.mailboxes", "prefix", [one.prefix for one in given.mailboxes], reading)
    for number, one in enumerate(given.mailboxes):
        if one.prefix == given.prefix:
            reading.refuse(f"incoming.mailboxes[{number}].prefix", "is incoming.prefix")
    if wanted or any(reading.given(f"incoming.{name}") for name in ("prefix", "url", "mailboxes")):
        overlaps.check(config, reading)
    if given.notices and given.swept_keep < _LONGEST_NOTICE:
        reading.warnings.append("incoming.swept_keep is less than the 14 days for which SQS may keep a notice")


def routing(config: Config, reading: Reading) -> None:
    """Section routing by itself, and the server that it needs."""
    given = config.routing
    _aliases(given, reading)
    _once("routing.routes", "address", [one.address for one in given.routes], reading)
    _once("routing.catch_all", "domain", [one.domain for one in given.catch_all], reading)
    for number, domain in enumerate(given.open_domains):
        if config.mailboxes.domains is not None and domain not in config.mailboxes.domains:
            reading.refuse(f"routing.open_domains[{number}]", f"{domain} is not one of mailboxes.domains")
        if domain in (one.domain for one in given.catch_all):
            reading.refuse(
                f"routing.open_domains[{number}]", f"{domain} has an entry in routing.catch_all, which would never be used"
            )
    if given.in_store is not None and given.in_store.lower() == "s3":
        reading.refuse("routing.in_store", "must be another target than S3, for it says what that stands for")
    _targets(config, reading)
    for name in ("unknown", "denied"):
        if getattr(given, name) == "bounce" and given.bounce_from is None:
            reading.refuse(f"routing.{name}", "bounce needs routing.bounce_from, the address that reports are from")
    if given.accounts == "lmtp" and not config.lmtp_out.host:
        reading.refuse("routing.accounts", "lmtp needs lmtp_out.host, the server that takes the mail")


def _aliases(given: Routing, reading: Reading) -> None:
    domains = [one.domain for one in given.domain_aliases]
    _once("routing.domain_aliases", "domain", domains, reading)
    for number, one in enumerate(given.domain_aliases):
        if one.as_ in domains:
            reading.refuse(f"routing.domain_aliases[{number}].as", f"{one.as_} is the alias of another domain itself")


def _once(key: str, name: str, values: Sequence[str], reading: Reading) -> None:
    for number, value in enumerate(values):
        if value in values[:number]:
            reading.refuse(f"{key}[{number}].{name}", f"{value} is there already, {key}[{values.index(value)}]")


def targets(given: Routing) -> Iterator[tuple[str, str]]:
    """Every target that the configuration itself has, with the option that it stands in."""
    for path, entry in _leading(given):
        for at, text in enumerate(entry.to):
            yield f"{path}.to[{at}]", text
    if given.in_store is not None:
        yield "routing.in_store", given.in_store


def _leading(given: Routing) -> Iterator[tuple[str, Route | CatchAll]]:
    for number, route in enumerate(given.routes):
        yield f"routing.routes[{number}]", route
    for number, rest in enumerate(given.catch_all):
        yield f"routing.catch_all[{number}]", rest


def _targets(config: Config, reading: Reading) -> None:
    for path, entry in _leading(config.routing):
        if not entry.to:
            reading.refuse(f"{path}.to", "is empty; write drop: where mail is to vanish")
    for path, text in targets(config.routing):
        scheme = text.partition(":")[0].lower() if ":" in text else ""
        if scheme == "lmtp" and not config.lmtp_out.host:
            reading.refuse(path, "needs lmtp_out.host, the server that takes the mail")
        if scheme == "bounce" and config.routing.bounce_from is None:
            reading.refuse(path, "needs routing.bounce_from, the address that reports are from")
        if scheme == "forward" and config.routing.forward_from is None:
            reading.warnings.append(f"{path} forwards mail, which is held until routing.forward_from is set")


def lmtp_out(config: Config, reading: Reading) -> None:
    """Section lmtp_out."""
    given = config.lmtp_out
    if given.tls != "none" and given.host.startswith("/") and not given.server_name:
        reading.refuse("lmtp_out.server_name", "must be set, as a socket has no name that its certificate could be for")
    if given.ca_file is not None and not Path(given.ca_file).is_file():
        reading.refuse("lmtp_out.ca_file", f"{given.ca_file} does not exist")
    if given.tls == "none" and given.ca_file is not None:
        reading.refuse("lmtp_out.ca_file", "cannot be used, as lmtp_out.tls is none")
    if given.patience < given.timeout:
        reading.refuse("lmtp_out.patience", "is less than lmtp_out.timeout")


def queue(config: Config, reading: Reading) -> None:
    """Section queue."""
    given = config.queue
    credentials.check(given, "queue", reading)
    if given.dead_letter_url is not None and given.dead_letter_url == given.url:
        reading.refuse("queue.dead_letter_url", "is queue.url")


def sns(config: Config, reading: Reading) -> None:
    """Section sns."""
    given = config.sns
    refuse_plain(given.listeners, "sns.listeners", "without TLS only a proxy on this machine may connect", reading)
    if given.listeners and not given.topics:
        reading.refuse("sns.topics", "is empty; name the topics that may tell of mail")
    if not given.versions:
        reading.refuse("sns.versions", "is empty; no message could be believed")
    for one, other in (("username", "password"), ("password", "username")):
        if getattr(given, one) and not getattr(given, other):
            reading.refuse(f"sns.{one}", f"needs {other} beside it")


def lmtp(config: Config, reading: Reading) -> None:
    """Section lmtp."""
    given = config.lmtp
    for number, listener in enumerate(given.listeners):
        if is_beyond_this_machine(listener.endpoint) and not given.clients:
            reading.refuse(
                f"lmtp.listeners[{number}].endpoint", "can be reached from other machines; name those that may in lmtp.clients"
            )
    if given.group is not None and not any(one.endpoint.startswith("unix:") for one in given.listeners):
        reading.refuse("lmtp.group", "is for unix: endpoints only")
    if given.listeners and config.storage.url == NO_STORE and config.routing.accounts == "mailbox":
        reading.warnings.append("lmtp.listeners: no account has a mailbox, as storage.url is none")
