"""Load the configuration: the first file of the search order, the environment over it, everything checked before it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping as Environ
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sesmail.config.aws import TABLE
from sesmail.config.checks import check
from sesmail.config.files import first_of, read_text, search_order
from sesmail.config.foreign import ses_pop3
from sesmail.config.foreign.memory import in_memory
from sesmail.config.listeners import Listener
from sesmail.config.page import PageListener
from sesmail.config.problems import BadValue, ConfigError, Where
from sesmail.config.read import Bad, Reading
from sesmail.config.receivingchecks import sweep_every
from sesmail.config.secrets import readable_by_others
from sesmail.config.table import Config, sections
from sesmail.config.tree import Mapping, Node, Scalar, parse
from sesmail.config.variables import Overrides, overrides

_SUBMISSION = (
    Listener(endpoint="tcp:2587:interface=127.0.0.1", tls="starttls"),
    Listener(endpoint="tcp:2465:interface=127.0.0.1", tls="implicit"),
)
_PAGE = (PageListener(endpoint="tcp:8080:interface=127.0.0.1", tls="none"),)


def load(path: str | None = None, environ: Environ[str, str] = os.environ) -> Config:
    """The configuration of `path`, or of the first file of the search order, with ``SESMAIL__SECTION__KEY`` over it.

    Without any file, POP3_* variables as aws-ses-pop3-server had them mean what they meant there; without those and any other
    variable this is the embedded default. Secrets are resolved, `storage.url` and
    `service.state_dir` are always set. Raises ConfigError with every problem that was found; nothing is created or changed.
    """
    source = path if path is not None else first_of(search_order(environ))
    if source is not None:
        return _loaded(parse(read_text(source), source), source, environ)
    if ses_pop3.is_meant(environ):
        return _taken_over(environ)
    config = _loaded(Scalar(None, Where("configuration")), None, environ)
    if left := ses_pop3.left_behind(environ):
        hint = f"{left} is not used; `sesmail import-config {ses_pop3.SYSTEM}` makes a sesmail.yaml of it"
        return replace(config, warnings=(hint, *config.warnings))
    return config


def from_text(text: str, source: str, environ: Environ[str, str]) -> Config:
    """The same for a text that lies in no file; `source` is what it is called."""
    return _loaded(parse(text, source, lines=False), source, environ)


def _taken_over(environ: Environ[str, str]) -> Config:
    settings = ses_pop3.read(environ)
    draft = ses_pop3.draft(settings, in_memory)
    try:
        config = from_text(draft.text(), f"configuration of {ses_pop3.SYSTEM}", environ)
    except ConfigError as error:
        raise ConfigError(draft.explained(error)) from None
    said = f"no sesmail.yaml; the gateway does what {ses_pop3.SYSTEM} did, by {settings.origin}"
    return replace(config, warnings=(said, *draft.warnings, *config.warnings))


def _loaded(tree: Node, source: str | None, environ: Environ[str, str]) -> Config:
    reading = Reading(environ)
    config = _read(tree, overrides(reading), reading)
    if reading.problems:
        raise ConfigError(sorted(reading.problems, key=lambda one: (one.where.line is None, one.where.line or 0)))
    for holder in sorted(reading.secret_holders):
        if readable_by_others(Path(holder)):
            reading.warnings.append(f"{holder}: holds a secret and can be read by others; chmod 600 it")
    return replace(_resolved(config, reading), source=source, warnings=tuple(reading.warnings))


def _read(tree: Node, over: Overrides, reading: Reading) -> Config:
    reading.spots[""] = Where(tree.where.source)
    values: dict[str, Any] = {}
    with suppress(Bad):
        given = reading.mapping(tree, "", list(sections()))
        for name, cls in sections().items():
            node = _over(given.get(name, Scalar(None, tree.where)), over.get(name, []))
            with suppress(Bad):
                values[name] = reading.record(node, cls, name)
    config = _of_tacomail(Config(**values), reading)
    check(_embedded(config, reading), reading)
    return config


def _over(node: Node, entries: list[tuple[Scalar, Node]]) -> Node:
    nothing = isinstance(node, Scalar) and node.text is None
    if not entries or not (nothing or isinstance(node, Mapping)):
        return node
    names = {key.text for key, _ in entries}
    kept = node.entries if isinstance(node, Mapping) else ()
    return Mapping((*(entry for entry in kept if entry[0].text not in names), *entries), node.where)


def _embedded(config: Config, reading: Reading) -> Config:
    """With what is another default where nothing says where mail lies."""
    if config.storage.url:
        return config
    instead: dict[str, dict[str, Any]] = {
        "tls": {"self_signed": True},
        "submission": {"listeners": _SUBMISSION, "check_domains": False},
        "relay": {"courier": "outbox", "local_domains": config.mailboxes.domains or ()},
        "aliases": {"table": "sqlite"} if config.aliases.table == "none" else {},
        "page": {"listeners": _PAGE},
    }
    for section, defaults in instead.items():
        left = {name: value for name, value in defaults.items() if not reading.given(f"{section}.{name}")}
        config = replace(config, **{section: replace(getattr(config, section), **left)})
    return config


def _of_tacomail(config: Config, reading: Reading) -> Config:
    """With the table that the variable of tacomail names, unless something else is said."""
    name = reading.environ.get("POSTFIX_DYNAMODB_TABLE")
    if not name or reading.given("aliases.table") or reading.given("aliases.dynamodb_table"):
        return config
    try:
        name = TABLE.parse(name)
    except BadValue as error:
        reading.refuse("aliases.dynamodb_table", str(error), where=Where("POSTFIX_DYNAMODB_TABLE"))
    return replace(config, aliases=replace(config.aliases, table="dynamodb", dynamodb_table=name))


def _resolved(config: Config, reading: Reading) -> Config:
    config = _embedded(config, reading)
    aliases = config.aliases
    state_dir = config.service.state_dir or _state_dir(reading.environ)
    url = config.storage.url or f"file://{quote(state_dir)}/mail"
    relay, incoming = config.relay, config.incoming
    return replace(
        config,
        incoming=replace(incoming, url=incoming.url or url, sweep_every=sweep_every(config)),
        storage=replace(config.storage, url=url),
        service=replace(config.service, state_dir=state_dir),
        aliases=replace(aliases, file=aliases.file or f"{state_dir}/aliases.db"),
        relay=replace(relay, spool=relay.spool or f"{state_dir}/spool", outbox=relay.outbox or f"{state_dir}/outbox"),
    )


def _state_dir(environ: Environ[str, str]) -> str:
    # systemd may name several, with colons between them.
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    home = environ.get("HOME")
    return given or (f"{home}/.local/state/sesmail" if home else "/var/lib/sesmail")
