"""Load the configuration: the first file of the search order, the environment over it, everything checked before it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping as Environ
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sesmail.config.checks import check
from sesmail.config.kinds import Text
from sesmail.config.option import options
from sesmail.config.problems import ConfigError, Problem, Where, nearest
from sesmail.config.read import Bad, Reading
from sesmail.config.secrets import readable_by_others
from sesmail.config.table import Config, sections
from sesmail.config.tree import Mapping, Node, Scalar, parse

_LONGEST = 4 << 20
_PREFIX = "SESMAIL__"


def load(path: str | None = None, environ: Environ[str, str] = os.environ) -> Config:
    """The configuration of `path`, or of the first file of the search order, with ``SESMAIL__SECTION__KEY`` over it.

    Without any file and any variable this is the embedded default. Secrets are resolved, `storage.url` and
    `service.state_dir` are always set. Raises ConfigError with every problem that was found; nothing is created or changed.
    """
    source = path if path is not None else _found(environ)
    tree = Scalar(None, Where("configuration")) if source is None else parse(_text(source), source)
    reading = Reading(environ)
    config = _read(tree, _overrides(reading), reading)
    if reading.problems:
        raise ConfigError(sorted(reading.problems, key=lambda one: (one.where.line is None, one.where.line or 0)))
    if source is not None and reading.holds_secret and readable_by_others(Path(source)):
        reading.warnings.append(f"{source}: holds a secret and can be read by others; chmod 600 it")
    return replace(_resolved(config, reading), source=source, warnings=tuple(reading.warnings))


def search_order(environ: Environ[str, str]) -> list[str]:
    """Where a file is looked for when none is named; the first that exists is taken, even if it cannot be read."""
    home = environ.get("HOME")
    own = [f"{home}/.config/sesmail/sesmail.yaml"] if home else []
    return ["/etc/sesmail/sesmail.yaml", *own, "./sesmail.yaml"]


def _found(environ: Environ[str, str]) -> str | None:
    return next((name for name in search_order(environ) if os.path.lexists(name)), None)


def _text(source: str) -> str:
    try:
        with open(source, "rb") as file:
            octets = file.read(_LONGEST + 1)
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError([Problem(Where(source, exc.object.count(b"\n", 0, exc.start) + 1), "", "not UTF-8 text")]) from None
    except (OSError, ValueError) as exc:
        raise ConfigError(
            [Problem(Where(source), "", f"cannot be read: {getattr(exc, 'strerror', None) or 'not a path'}")]
        ) from None
    if len(octets) > _LONGEST:
        raise ConfigError([Problem(Where(source), "", "too long for a configuration")])
    return text


def _read(tree: Node, overrides: dict[str, list[tuple[Scalar, Node]]], reading: Reading) -> Config:
    reading.spots[""] = Where(tree.where.source)
    values: dict[str, Any] = {}
    with suppress(Bad):
        given = reading.mapping(tree, "", list(sections()))
        for name, cls in sections().items():
            node = _over(given.get(name, Scalar(None, tree.where)), overrides.get(name, []))
            with suppress(Bad):
                values[name] = reading.record(node, cls, name)
    config = Config(**values)
    check(_embedded(config, reading), reading)
    return config


def _over(node: Node, overrides: list[tuple[Scalar, Node]]) -> Node:
    nothing = isinstance(node, Scalar) and node.text is None
    if not overrides or not (nothing or isinstance(node, Mapping)):
        return node
    names = {key.text for key, _ in overrides}
    kept = node.entries if isinstance(node, Mapping) else ()
    return Mapping((*(entry for entry in kept if entry[0].text not in names), *overrides), node.where)


def _overrides(reading: Reading) -> dict[str, list[tuple[Scalar, Node]]]:
    known = {
        f"{_PREFIX}{name}__{key}".upper(): (name, key, one.metadata["kind"])
        for name, cls in sections().items()
        for key, one in options(cls).items()
    }
    found: dict[str, list[tuple[Scalar, Node]]] = {}
    for variable in sorted(one for one in reading.environ if one.startswith(_PREFIX)):
        if variable not in known:
            reading.refuse("", "unknown option", nearest(variable, list(known)), where=Where(variable))
            continue
        name, key, kind = known[variable]
        try:
            node = _variable(variable, reading.environ[variable], kind)
        except ConfigError as error:
            reading.problems.extend(error.problems)
            continue
        found.setdefault(name, []).append((Scalar(key, Where(variable)), node))
    return found


def _variable(variable: str, value: str, kind: object) -> Node:
    if not isinstance(kind, Text):
        return parse(value, variable, lines=False)
    return Scalar(None if kind.null and value in ("", "null") else value, Where(variable))


def _embedded(config: Config, reading: Reading) -> Config:
    if config.storage.url or reading.given("tls.self_signed"):
        return config
    return replace(config, tls=replace(config.tls, self_signed=True))


def _resolved(config: Config, reading: Reading) -> Config:
    config = _embedded(config, reading)
    state_dir = config.service.state_dir or _state_dir(reading.environ)
    url = config.storage.url or f"file://{quote(state_dir)}/mail"
    return replace(
        config,
        storage=replace(config.storage, url=url),
        service=replace(config.service, state_dir=state_dir),
    )


def _state_dir(environ: Environ[str, str]) -> str:
    # systemd may name several, with colons between them.
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    home = environ.get("HOME")
    return given or (f"{home}/.local/state/sesmail" if home else "/var/lib/sesmail")
