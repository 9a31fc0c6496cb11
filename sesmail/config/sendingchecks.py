"""What single options of sending cannot know: options that need, forbid or contradict one another, and files that must be there."""

from __future__ import annotations

import re
from pathlib import Path

from sesmail.config import credentials
from sesmail.config.locations import is_loopback
from sesmail.config.option import options
from sesmail.config.read import Reading
from sesmail.config.sending import Ses, Smarthost
from sesmail.config.table import Config
from sesmail.interfaces import NO_STORE

_SES_HOST = re.compile(r"email-smtp(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


def submission(config: Config, reading: Reading) -> None:
    """Section submission by itself."""
    for number, listener in enumerate(config.submission.listeners):
        if listener.tls == "none":
            reading.refuse(f"submission.listeners[{number}].tls", "must be implicit or starttls: nobody may log in without TLS")
    seen: dict[str, int] = {}
    for number, grant in enumerate(config.submission.grants):
        name = grant.account.casefold()
        if name in seen:
            reading.refuse(
                f"submission.grants[{number}].account", f"{grant.account} is there already, submission.grants[{seen[name]}]"
            )
        seen.setdefault(name, number)


def relay(config: Config, reading: Reading) -> None:
    """Section relay, and what its local domains need."""
    domains, store = config.mailboxes.domains, config.storage.url
    for number, domain in enumerate(config.relay.local_domains):
        if store == NO_STORE:
            reading.refuse("relay.local_domains", "needs mailboxes, and storage.url is none")
            break
        if domains is not None and domain not in domains:
            reading.refuse(f"relay.local_domains[{number}]", f"{domain} is not one of mailboxes.domains")
    if config.relay.retry_longest < config.relay.retry_first:
        reading.refuse("relay.retry_longest", "is less than relay.retry_first")


def ses(config: Config, reading: Reading) -> None:
    """Section ses."""
    credentials.check(config.ses, "ses", reading)
    if config.relay.courier != "ses":
        _unused("ses", Ses(), config, reading)


def smarthost(config: Config, reading: Reading) -> None:
    """Section smarthost."""
    given = config.smarthost
    if config.relay.courier != "smtp":
        _unused("smarthost", Smarthost(), config, reading)
    elif not given.host:
        reading.refuse("relay.courier", "smtp needs smarthost.host, the server that takes the mail")
    _smarthost_login(given, reading)
    if given.ca_file is not None and not Path(given.ca_file).is_file():
        reading.refuse("smarthost.ca_file", f"{given.ca_file} does not exist")


def _smarthost_login(given: Smarthost, reading: Reading) -> None:
    if given.password and given.secret_access_key:
        reading.refuse("smarthost.secret_access_key", "cannot be used together with password")
    for name in ("password", "secret_access_key"):
        if getattr(given, name) and not given.username:
            reading.refuse(f"smarthost.{name}", "needs username beside it")
    if given.username and not given.password and not given.secret_access_key:
        reading.refuse("smarthost.username", "needs password or secret_access_key beside it")
    if given.username and given.tls == "none" and not is_loopback(given.host):
        reading.refuse("smarthost.tls", "must be implicit or starttls, or the password would cross the network unprotected")
    if given.secret_access_key and region_of(given) is None:
        reading.refuse("smarthost.region", "must be set, as smarthost.host does not name one")


def region_of(given: Smarthost) -> str | None:
    """The region to derive the password for, None when nobody says."""
    found = _SES_HOST.fullmatch(given.host)
    return given.region or (found[1] if found else None)


def _unused(section: str, default: object, config: Config, reading: Reading) -> None:
    given = getattr(config, section)
    for name in options(type(default)):
        if getattr(given, name) != getattr(default, name):
            reading.warnings.append(f"{section}.{name} is never used, as relay.courier is {config.relay.courier}")
