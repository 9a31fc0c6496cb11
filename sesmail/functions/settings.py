"""The configuration of a function: variables of its environment alone, for a function has no file but its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config

TABLE = "POSTFIX_DYNAMODB_TABLE"
_STORE = "SESMAIL__STORAGE__URL"
_IN = "SESMAIL__INCOMING__URL"

# What is another default in a function: it listens nowhere, has one folder that can be written to, and mail comes in. Its machine has
# another name each time, by which mail that goes in circles would not be known again.
_BASE = """
pop3: {listeners: []}
submission: {listeners: [], hostname: sesmail-function}
service: {state_dir: /tmp/sesmail}
incoming: {prefix: new/}
"""


@dataclass(frozen=True)
class Settings:
    """What a function is told.

    `table` names the table of aliases in DynamoDB, None where there is none. Secrets are in no `repr`.
    """

    config: Config = field(repr=False)
    table: str | None = None


def settings(environ: Mapping[str, str]) -> Settings:
    """Read ``SESMAIL__SECTION__KEY`` and POSTFIX_DYNAMODB_TABLE; files are read where a variable names one, and nothing else is.

    Raises ConfigError with every problem that was found; it never repeats a secret.
    """
    config = from_text(_BASE, "function", environ)
    if not environ.get(_STORE):
        raise _refusal(_STORE, "must be set: s3://BUCKET, in which the mailboxes are")
    if not (config.incoming.url or config.storage.url).startswith("s3://"):
        raise _refusal(_IN, "must be set: s3://BUCKET, in which mail comes in, as storage.url is no bucket")
    # That nothing is served by POP3 is as it must be.
    warnings = tuple(one for one in config.warnings if not one.startswith("pop3."))
    return Settings(replace(config, warnings=warnings), environ.get(TABLE) or None)


def _refusal(variable: str, what: str) -> ConfigError:
    return ConfigError([Problem(Where(variable), "", what)])
