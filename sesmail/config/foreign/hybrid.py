"""hybrid-cloud-email: its ``.env`` and its secrets become a sesmail.yaml that works with those files as they are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from sesmail.config.files import first_of, read_text
from sesmail.config.foreign import hybrid_receiving
from sesmail.config.foreign.dotenv import read_variables
from sesmail.config.foreign.draft import Beside, Draft
from sesmail.config.foreign.hybrid_receiving import Source
from sesmail.config.foreign.listening import published
from sesmail.config.foreign.settings import Given
from sesmail.config.problems import Problem, Where, nearest

SYSTEM = "hybrid-cloud-email"
# Where Compose puts secrets within the containers.
_IN_CONTAINER = "/run/secrets/"

_TAKEN = ("SECRETS_PATH", "SMTP_STARTTLS_PORT", "SSL_CERT", "SSL_KEY", "AWS_REGION", "LOG_LEVEL")
_TAKEN_OR_FILE = ("AWS_IAM_CREDENTIALS", "POSTFIX_LOOKUP_TABLE", "MAX_MESSAGE_SIZE")
_RECEIVING = (
    "SNS_ENDPOINT_PORT",
    "BASIC_AUTH_CREDENTIALS",
    "AWS_CREDENTIALS",
    "LMTP_ADDRESS",
    "DEAD_LETTER_QUEUE_URL",
    "DEAD_LETTER_QUEUE_CHECK_INTERVAL",
)
_READING = ("IMAPS_PORT", "IMAP_STARTTLS_PORT", "MAIL_VOLUME", "NFS_SERVER", "NFS_VERSION", "NFS_PATH", "SASL_ADDRESS")
_KNOWN = (*_TAKEN, *_TAKEN_OR_FILE, *_RECEIVING, *_READING)
_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "warn": "warning", "error": "error", "critical": "error"}
# Postfix means no limit by 0; SES takes no more than this.
_LARGEST = "40000000"


class Checkout:
    """What is set in the folder of the other system: `environ` goes before its ``.env``, and of both an empty one counts as none."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Raises ConfigError for an ``.env`` that cannot be read; there need not be one."""
        self.folder = Path(os.path.abspath(folder))
        file = first_of([str(self.folder / ".env")])
        self.in_file = read_variables(file) if file else {}
        names = [name + end for name in _KNOWN for end in ("", "_FILE")]
        self._variables = {
            **self.in_file,
            **{name: Given(name, environ[name], Where(name)) for name in names if environ.get(name)},
        }
        secrets = self._variables.get("SECRETS_PATH")
        self._secrets = self.path(secrets.text if secrets else "secrets")

    def path(self, text: str) -> Path:
        """A path as a file of this machine: Compose took it from the folder, a container from its secrets."""
        if text.startswith(_IN_CONTAINER):
            return self._secrets / text.removeprefix(_IN_CONTAINER)
        return Path(os.path.normpath(self.folder / text))

    def secret(self, name: str) -> Path:
        """The file of a secret."""
        return self._secrets / name

    def given(self, name: str) -> Given | None:
        """The setting `name`, else what is in the file that `name`_FILE says. Raises ConfigError for one that cannot be read."""
        if name in self._variables:
            return self._variables[name]
        file = self._variables.get(f"{name}_FILE")
        return self.in_secret(name, self.path(file.text)) if file else None

    def in_secret(self, name: str, path: Path) -> Given | None:
        """What is in a file, as the setting `name`; None for an empty one. Raises ConfigError for one that cannot be read."""
        text = read_text(str(path)).rstrip()
        return Given(name, text, Where(str(path))) if text else None


def draft(
    folder: Path, environ: Mapping[str, str], domain: str | None, beside: Beside | None, source: Source | None = None
) -> Draft:
    """What the settings come to. `domain` is that of the users, whose names have none there. With `source` mail that comes in is taken
    over too. Problems are kept in the draft.

    Raises ConfigError for files that cannot be read.
    """
    checkout = Checkout(folder, environ)
    made = Draft(SYSTEM, f"{checkout.folder}", beside)
    _logins(made, checkout, domain)
    _aliases(made, checkout)
    _ses(made, checkout)
    _listener(made, checkout)
    _sizes_and_levels(made, checkout)
    if source is not None:
        hybrid_receiving.put(made, checkout, source)
    _left_out(made, checkout, source)
    return made


def _logins(made: Draft, checkout: Checkout, domain: str | None) -> None:
    file = checkout.secret("dovecot_passwd")
    if not file.is_file():
        made.refuse(Problem(Where(str(file)), "", "is not there; name the folder of hybrid-cloud-email, or set SECRETS_PATH"))
    made.put("auth.checkers", ["passwd-file"])
    made.put("auth.passwd_file", str(file))
    # The mail itself stays in Dovecot.
    made.put("storage.url", "none")
    made.put("pop3.listeners", [])
    if domain is not None:
        made.put("mailboxes.default_domain", domain, Given("--domain", domain, Where("--domain")))
        return
    # Nothing lies there, but it must be able to name a mailbox for everybody.
    made.put("mailboxes.template", "mailboxes/%u/")
    made.warn(
        "--domain is not given, so users have no addresses but those of postfix_lookup_table: mail without a From and read "
        "receipts cannot be sent"
    )


def _aliases(made: Draft, checkout: Checkout) -> None:
    given = checkout.given("POSTFIX_LOOKUP_TABLE") or Given(
        "POSTFIX_LOOKUP_TABLE", f"pcre:{_IN_CONTAINER}postfix_lookup_table", Where("POSTFIX_LOOKUP_TABLE")
    )
    kind, colon, path = given.text.partition(":")
    if not colon:
        made.refuse(given.problem("must be a type and a path, such as pcre:/run/secrets/postfix_lookup_table"))
        return
    made.put("aliases.map", f"{kind}:{checkout.path(path)}", given)


def _ses(made: Draft, checkout: Checkout) -> None:
    made.put("relay.courier", "ses")
    region = checkout.given("AWS_REGION")
    if region is None:
        made.refuse(Problem(Where("AWS_REGION"), "", "is not set; it names the region of SES"))
    else:
        made.put("ses.region", region.text, region)
    file = checkout.secret("aws_iam_credentials")
    given = checkout.given("AWS_IAM_CREDENTIALS")
    if given is None and file.is_file():
        given = checkout.in_secret("AWS_IAM_CREDENTIALS", file)
    if given is None:
        made.warn("aws_iam_credentials is empty: credentials are found as every AWS program finds them")
        return
    key, colon, secret = given.text.partition(":")
    if not colon or not key or not secret:
        made.refuse(given.problem("must be an access key and its secret, with a colon between them"))
        return
    made.put("ses.access_key_id", key, given)
    made.put("ses.secret_access_key", made.secret(Given(given.name, secret, given.where)), given)


def _listener(made: Draft, checkout: Checkout) -> None:
    given = checkout.given("SMTP_STARTTLS_PORT")
    where = published(made, given, 587)
    made.put("submission.listeners", [{"endpoint": where, "tls": "starttls"}])
    made.came_from("submission.listeners[0].endpoint", given)
    files = {}
    for option, name in (("certificate", "SSL_CERT"), ("key", "SSL_KEY")):
        one = checkout.given(name)
        if one is None:
            made.refuse(Problem(Where(name), "", f"is not set; it names the file of the {option}"))
            continue
        files[option] = str(checkout.path(one.text))
        made.came_from(f"tls.certificates[0].{option}", one)
    made.put("tls.certificates", [files])


def _sizes_and_levels(made: Draft, checkout: Checkout) -> None:
    size = checkout.given("MAX_MESSAGE_SIZE")
    if size is not None:
        if not re.fullmatch(r"\d{1,18}", size.text, re.ASCII):
            made.refuse(size.problem("must be a number of octets"))
        made.put("submission.max_size", _LARGEST if size.text == "0" else size.text, size)
    level = checkout.given("LOG_LEVEL")
    if level is not None and level.text.lower() not in _LEVELS:
        made.warn(str(level.problem("is no level of logging and was left out", nearest(level.text, list(_LEVELS)))))
    elif level is not None:
        made.put("log.level", _LEVELS[level.text.lower()], level)


def _left_out(made: Draft, checkout: Checkout, source: Source | None) -> None:
    if source is None:
        _without_receiving(made, checkout)
    else:
        made.warn("sesmail takes the place of the containers postfix-ses-relay and ses-to-lmtp; dovecot goes on as it is")
    made.warn(
        f"the user that sesmail runs as must be able to read {checkout.secret('dovecot_passwd')}, the table and the certificate"
    )
    known = {name + end for name in _KNOWN for end in ("", "_FILE")}
    for name, one in checkout.in_file.items():
        if name not in known and not name.startswith(("COMPOSE_", "DOCKER_")):
            made.warn(str(one.problem("is not known and was left out", nearest(name, list(_KNOWN)))))


def _without_receiving(made: Draft, checkout: Checkout) -> None:
    made.warn("sesmail takes the place of the container postfix-ses-relay alone; dovecot and ses-to-lmtp go on as they are")
    receiving = [name for name in _RECEIVING if name in checkout.in_file]
    secret = checkout.secret("sns_basic_auth_credentials")
    receiving += [secret.name] if secret.is_file() and secret.stat().st_size else []
    if receiving:
        made.warn(f"to take over mail that comes in, name --bucket and --topic; left out: {', '.join(receiving)}")
    made.warn("there is no mailbox here, so a report that mail was not delivered waits in the spool, see sesmail queue list")
