"""Files and folders of this machine: there, and with the rights that they need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sesmail.cli.doctor.finding import Finding, good, note, wrong
from sesmail.config.stores import default_store, store_of
from sesmail.config.table import Config

_OPEN = "; chmod 600 it"
_LEAST = 256 << 20
_USER = "sesmail"


def settings(config: Config) -> Iterator[Finding]:
    """What the configuration itself says of it: it could be loaded."""
    yield good("configuration", config.source or "no file, the defaults")
    for warning in config.warnings:
        if warning.endswith(_OPEN):
            path, _, said = warning.removesuffix(_OPEN).partition(": ")
            yield wrong(f"file {path}", said, f"chmod 600 {path}")
        else:
            yield note("configuration", warning)


def files(config: Config) -> Iterator[Finding]:
    """All that the gateway reads or writes on this machine, with the rights of whoever asks."""
    if os.geteuid() == 0:
        yield note("rights of files", "looked at as root, who may do everything", f"sudo -u {_USER} sesmail doctor")
    for option, path in _folders(config).items():
        yield _folder(f"{option} {path}", Path(path))
    for option, path in _read(config).items():
        yield _file(f"{option} {path}", Path(path))
    yield _space(Path(config.service.state_dir))


def _folders(config: Config) -> dict[str, str]:
    found = {"service.state_dir": config.service.state_dir}
    if config.submission.listeners or config.routing.forward_from:
        found["relay.spool"] = config.relay.spool
    if config.submission.listeners and config.relay.courier == "outbox":
        found["relay.outbox"] = config.relay.outbox
    if config.aliases.table == "sqlite":
        found["folder of aliases.file"] = os.path.dirname(config.aliases.file)
    if config.deliver.log is not None:
        found["folder of deliver.log"] = os.path.dirname(config.deliver.log)
    stores = {"storage.url": default_store(config).url, "incoming.url": config.incoming.url or ""}
    stores |= {f"mailboxes.places of {place.for_}": store_of(place, config).url for place in config.mailboxes.places}
    found |= {option: unquote(urlsplit(url).path) for option, url in stores.items() if url.startswith("file:")}
    return {option: path for option, path in found.items() if path}


def _read(config: Config) -> dict[str, str]:
    given = {
        "auth.passwd_file": config.auth.passwd_file if (config.auth.passwd_file or "").startswith("/") else None,
        "aliases.map": config.aliases.map.partition(":")[2] if config.aliases.map else None,
        "lmtp_out.ca_file": config.lmtp_out.ca_file,
        "smarthost.ca_file": config.smarthost.ca_file,
    }
    return {option: path for option, path in given.items() if path}


def _folder(about: str, path: Path) -> Finding:
    make = f"install -d -m 0700 -o {_USER} -g {_USER} {path}"
    if path.exists() and not path.is_dir():
        return wrong(about, "is no folder", f"mv {path} {path}.old && {make}")
    if path.is_dir():
        if not _may(path, os.R_OK | os.W_OK | os.X_OK):
            return wrong(about, "may not be written into", f"chown {_USER}: {path} && chmod u+rwx {path}")
        return good(about, "may be written into")
    above = next(one for one in path.absolute().parents if one.exists())
    if not _may(above, os.W_OK | os.X_OK):
        return wrong(about, f"is not there, and cannot be made in {above}", make)
    return good(about, "is not there yet, and is made when it is needed")


def _file(about: str, path: Path) -> Finding:
    if not path.exists():
        return wrong(about, "is not there", f"ls -l {path.parent}, and put the right path into the option")
    if not _may(path, os.R_OK):
        return wrong(about, "may not be read", f"chgrp {_USER} {path} && chmod g+r {path}")
    return good(about, "may be read")


def _may(path: Path, what: int) -> bool:
    return os.access(path, what, effective_ids=True)


def _space(path: Path) -> Finding:
    existing = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    free = shutil.disk_usage(existing).free
    about = f"disk of {existing}"
    if free < _LEAST:
        return wrong(about, f"{free >> 20} MiB are free", f"df -h {existing}; du -xh {existing} | sort -h | tail")
    return good(about, f"{free >> 20} MiB are free")
