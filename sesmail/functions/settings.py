"""The configuration of a function: variables of its environment alone, for a function has no file but its code."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace

from sesmail.config.foreign.tacomail import SEPARATORS, VARIABLE
from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config

log = logging.getLogger(__name__)

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
# Somebody waits for the answer, SES for half a minute: there must be time to say that nothing could be found out.
_WAITED_FOR = "storage: {{connect_timeout: 2, read_timeout: 4, attempts: 2{more}}}\n"
_WITHOUT_STORE = "auth: {checkers: [static]}\n"
# People gave away addresses with any of these, and programs were written for the API that came with the table.
_OF_TABLE = f"routing: {{separators: {json.dumps(SEPARATORS)}}}\npage: {{tacomail: true}}\n"


def settings(environ: Mapping[str, str]) -> Config:
    """Read ``SESMAIL__SECTION__KEY`` and POSTFIX_DYNAMODB_TABLE; files are read where a variable names one, and nothing else is.

    Raises ConfigError with every problem that was found; it never repeats a secret.
    """
    config = _read(_BASE, environ)
    if not environ.get(_STORE):
        raise _refusal(_STORE, "must be set: s3://BUCKET, in which the mailboxes are")
    if not (config.incoming.url or config.storage.url).startswith("s3://"):
        raise _refusal(_IN, "must be set: s3://BUCKET, in which mail comes in, as storage.url is no bucket")
    return config


def quick_settings(environ: Mapping[str, str]) -> Config:
    """The same for a function that somebody waits for, and that need not know where mail lies."""
    stored = bool(environ.get(_STORE))
    return _read(_BASE + _WAITED_FOR.format(more="" if stored else ", url: none") + ("" if stored else _WITHOUT_STORE), environ)


def begin(config: Config) -> Config:
    """Log as this configuration says, first of all what is odd about itself."""
    # Lambda's own logger stays as it is: at lower levels AWS's libraries log what they sign.
    logging.getLogger("sesmail").setLevel(config.log.level.upper())
    for warning in config.warnings:
        log.warning("%s", warning)
    return config


def _read(base: str, environ: Mapping[str, str]) -> Config:
    config = from_text(base + (_OF_TABLE if environ.get(VARIABLE) else ""), "function", environ)
    # That nothing is served by POP3 is as it must be.
    return replace(config, warnings=tuple(one for one in config.warnings if not one.startswith("pop3.")))


def _refusal(variable: str, what: str) -> ConfigError:
    return ConfigError([Problem(Where(variable), "", what)])
