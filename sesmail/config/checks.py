"""What single options cannot know: options that need, forbid or contradict one another, and files that must be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from sesmail.config import aliaseschecks, credentials, deliveringchecks, listeners, pagechecks, receivingchecks, sendingchecks
from sesmail.config.credentials import WHO
from sesmail.config.locations import is_loopback
from sesmail.config.read import Reading
from sesmail.config.secrets import readable_by_others
from sesmail.config.stores import url_of
from sesmail.config.table import Auth, Config, PlaceFor, Storage
from sesmail.interfaces import NO_STORE

# What each checker cannot do without.
_NEEDS = {"passwd-file": "passwd_file", "jwt": "jwt_secret", "http": "http_url", "dovecot": "dovecot"}
_ONLY_S3 = ("region", "endpoint", "expected_bucket_owner", *WHO)


def check(config: Config, reading: Reading) -> None:
    """Add what is wrong between options to `reading`; sections that have problems of their own are left alone."""
    for names, one in _CHECKS:
        if not reading.broken(*names):
            one(config, reading)


def _storage(config: Config, reading: Reading) -> None:
    storage = config.storage
    if storage.url == NO_STORE:
        # Logins that bring their own bucket may still be told of a server that is not AWS.
        _no_s3_options(storage, "storage", "storage.url is none", reading, ("expected_bucket_owner", *WHO))
    elif not storage.url.startswith("s3://"):
        why = "storage.url is not set" if not storage.url else "storage.url is a directory"
        _no_s3_options(storage, "storage", why, reading)
    if storage.encryption_key is not None and storage.encryption != "sse-kms":
        reading.refuse("storage.encryption_key", "is for encryption: sse-kms only")
    credentials.check(storage, "storage", reading)


def _no_s3_options(place: Storage | PlaceFor, path: str, why: str, reading: Reading, names: Sequence[str] = _ONLY_S3) -> None:
    for name in names:
        if getattr(place, name) is not None:
            reading.refuse(f"{path}.{name}", f"is for s3:// only, and {why}")


def _mailboxes(config: Config, reading: Reading) -> None:
    mailboxes = config.mailboxes
    if mailboxes.domains == ():
        reading.refuse("mailboxes.domains", "is empty, nobody could log in; write any to serve every domain")
        return
    if mailboxes.default_domain:
        _served(mailboxes.default_domain, "mailboxes.default_domain", config, reading)
    if "%d" not in mailboxes.template.replace("%%", "") and (mailboxes.domains is None or len(mailboxes.domains) > 1):
        reading.warnings.append(
            "mailboxes.template has no %d: accounts of the same name in different domains share one mailbox"
        )


def _served(domain: str, key: str, config: Config, reading: Reading) -> None:
    domains = config.mailboxes.domains
    if domains is not None and domain.lower() not in domains:
        reading.refuse(key, f"{domain} is not one of mailboxes.domains")


def _places(config: Config, reading: Reading) -> None:
    seen: dict[str, int] = {}
    for number, place in enumerate(config.mailboxes.places):
        path = f"mailboxes.places[{number}]"
        if place.for_ in seen:
            reading.refuse(f"{path}.for", f"{place.for_} has an entry already, mailboxes.places[{seen[place.for_]}]")
        seen.setdefault(place.for_, number)
        _served(place.for_.rpartition("@")[2], f"{path}.for", config, reading)
        if place.prefix is not None and place.template is not None:
            reading.refuse(f"{path}.template", "cannot be used together with prefix")
        if place == PlaceFor(for_=place.for_):
            reading.refuse(path, "says nothing but for; give a prefix, a template or a url")
        if not url_of(place, config).startswith("s3://"):
            _no_s3_options(place, path, "this mail lies in a directory", reading)
        credentials.check(place, path, reading)


def _auth(config: Config, reading: Reading) -> None:
    checkers = config.auth.checkers
    if not checkers:
        reading.refuse("auth.checkers", "is empty, nobody could log in")
    for number, name in enumerate(checkers):
        if name in checkers[:number]:
            reading.refuse(f"auth.checkers[{number}]", f"{name} is there already")
    if config.auth.users and "static" not in checkers:
        reading.warnings.append("auth.users are never asked about, as static is not one of auth.checkers")
    for name, option in _NEEDS.items():
        value = getattr(config.auth, option)
        if name in checkers and value is None:
            reading.refuse("auth.checkers", f"{name} needs auth.{option}")
        elif name not in checkers and value is not None:
            reading.warnings.append(f"auth.{option} is never used, as {name} is not one of auth.checkers")
    _http(config.auth, reading)
    if config.auth.throttle_longest < config.auth.throttle_wait:
        reading.refuse("auth.throttle_longest", "is less than auth.throttle_wait")


def _logins_without_store(config: Config, reading: Reading) -> None:
    if config.storage.url != NO_STORE:
        return
    in_store = config.auth.passwd_file is not None and not config.auth.passwd_file.startswith("/")
    for name in (*["passwd"], *["passwd-file"] * in_store):
        if name in config.auth.checkers:
            reading.refuse("auth.checkers", f"{name} reads its file from the store, and storage.url is none")


def _http(auth: Auth, reading: Reading) -> None:
    if auth.http_url is None:
        return
    parts = urlsplit(auth.http_url)
    if parts.scheme == "http" and not auth.http_insecure and not is_loopback(parts.hostname or ""):
        reading.refuse("auth.http_url", "must be https://, or passwords would cross the network unprotected")


def _users(config: Config, reading: Reading) -> None:
    seen: dict[str, int] = {}
    for number, user in enumerate(config.auth.users):
        path = f"auth.users[{number}]"
        name = user.name.casefold()
        if name in seen:
            reading.refuse(f"{path}.name", f"{user.name} is there already, auth.users[{seen[name]}]")
        seen.setdefault(name, number)
        domain = user.name.partition("@")[2]
        if domain:
            _served(domain, f"{path}.name", config, reading)
        elif user.prefix is None and not config.mailboxes.default_domain and "%d" in config.mailboxes.template:
            reading.refuse(path, "needs a prefix, or a name with a domain, to say where the mail lies")
        if user.address is not None and "@" not in user.address:
            reading.refuse(f"{path}.address", "must have a domain")


def _pop3(config: Config, reading: Reading) -> None:
    if not any(config.listeners.values()) and not receivingchecks.is_told(config):
        reading.warnings.append("pop3.listeners is empty, nothing is served")
    if config.pop3.plaintext == "always":
        reading.warnings.append("pop3.plaintext is always: passwords may cross the network unprotected")
    if config.pop3.autologout < 600:
        reading.warnings.append("pop3.autologout is less than the 10 minutes of RFC 1939")


def _listeners(config: Config, reading: Reading) -> None:
    listeners.check(config.listeners, reading)


def _tls(config: Config, reading: Reading) -> None:
    wanting = [one.endpoint for found in config.listeners.values() for one in found if one.tls != "none"]
    if wanting and not config.tls.certificates and not config.tls.self_signed:
        reading.refuse(
            "tls.certificates",
            f"is empty, but the listener {wanting[0]} needs one; for a trial, tls.self_signed: true makes one",
        )


def _certificates(config: Config, reading: Reading) -> None:
    for number, one in enumerate(config.tls.certificates):
        path = f"tls.certificates[{number}]"
        _pem(one.certificate, b"-----BEGIN CERTIFICATE-----", f"{path}.certificate", "a certificate", reading)
        if _pem(one.key, b"PRIVATE KEY-----", f"{path}.key", "a private key", reading) and readable_by_others(Path(one.key)):
            reading.warnings.append(f"{one.key}: holds a private key and can be read by others; chmod 600 it")


def _pem(name: str, mark: bytes, key: str, what: str, reading: Reading) -> bool:
    try:
        if not Path(name).is_file():
            reading.refuse(key, f"{name} does not exist" if not Path(name).exists() else f"{name} is not a file")
        elif mark not in Path(name).read_bytes():
            reading.refuse(key, f"{name} holds no PEM of {what}")
        else:
            return True
    except OSError as exc:
        reading.refuse(key, f"{name} cannot be read: {exc.strerror}")
    return False


def _read_ahead(config: Config, reading: Reading) -> None:
    if config.read_ahead.session_bytes > config.read_ahead.total_bytes:
        reading.refuse("read_ahead.session_bytes", "is more than read_ahead.total_bytes")


_CHECKS: tuple[tuple[tuple[str, ...], Callable[[Config, Reading], None]], ...] = (
    (("storage",), _storage),
    (("mailboxes",), _mailboxes),
    (("storage", "mailboxes"), _places),
    (("read_ahead",), _read_ahead),
    (("auth",), _auth),
    (("auth", "mailboxes"), _users),
    (("auth", "storage"), _logins_without_store),
    (("pop3", "submission", "sns", "lmtp", "page", "queue"), _pop3),
    (("pop3", "submission", "sns", "lmtp", "page", "monitor"), _listeners),
    (("submission",), sendingchecks.submission),
    (("relay", "mailboxes", "storage"), sendingchecks.relay),
    (("relay", "ses"), sendingchecks.ses),
    (("relay", "smarthost"), sendingchecks.smarthost),
    (("aliases",), aliaseschecks.aliases),
    (("incoming", "queue", "sns", "mailboxes", "storage", "auth"), receivingchecks.incoming),
    (("routing", "lmtp_out", "mailboxes"), receivingchecks.routing),
    (("lmtp_out",), receivingchecks.lmtp_out),
    (("queue",), receivingchecks.queue),
    (("sns",), receivingchecks.sns),
    (("lmtp", "storage", "routing"), receivingchecks.lmtp),
    (("deliver", "storage", "incoming"), deliveringchecks.deliver),
    (("page", "auth"), pagechecks.page),
    (("tls",), _certificates),
    (("pop3", "submission", "sns", "lmtp", "page", "monitor", "tls", "storage"), _tls),
)
