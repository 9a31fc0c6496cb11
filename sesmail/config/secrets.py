"""Secrets that the configuration only points to: ``file:/path``, ``env:NAME`` and ``credential:NAME`` (systemd)."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path

from sesmail.config.problems import BadValue

_LONGEST = 64 << 10


def secret(text: str, environ: Mapping[str, str], warnings: list[str]) -> str:
    """The secret that `text` points to, or `text` itself. Adds to `warnings` when others can read the file.

    Raises BadValue, which names the file or variable and never what is in it.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "file":
        return _from_file(Path(rest), warnings)
    if colon and scheme == "env":
        return _from_environ(rest, environ)
    if colon and scheme == "credential":
        return _from_credential(rest, environ)
    return _checked(text, "the secret")


def readable_by_others(path: Path) -> bool:
    """True when the file's mode lets more read it than its owner.

    A file of root's that a service's group may read is Debian's way to hand it over, and does not count.
    """
    status = path.stat()
    handed_over = status.st_uid == 0 and status.st_gid != 0
    return bool(status.st_mode & (stat.S_IROTH if handed_over else stat.S_IROTH | stat.S_IRGRP))


def _from_file(path: Path, warnings: list[str]) -> str:
    if not path.is_absolute():
        raise BadValue("file: must be followed by an absolute path")
    content = _content(path)
    if readable_by_others(path):
        warnings.append(f"{path}: holds a secret and can be read by others; chmod 600 it")
    return content


def _from_environ(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        # Somebody's password may begin with "env:"; only what can hardly be one is repeated.
        shown = f" {name}" if re.fullmatch(r"[A-Z_][A-Z0-9_]{0,99}", name) else ""
        raise BadValue(f"environment variable{shown} is not set")
    return _checked(environ[name], f"environment variable {name}")


def _from_credential(name: str, environ: Mapping[str, str]) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}", name):
        raise BadValue("credential: must be followed by a name")
    if not environ.get("CREDENTIALS_DIRECTORY"):
        raise BadValue("CREDENTIALS_DIRECTORY is not set; systemd sets it for LoadCredential=")
    return _content(Path(environ["CREDENTIALS_DIRECTORY"]) / name)


def _content(path: Path) -> str:
    try:
        if not path.is_file():
            # Opening a pipe or a device may block for ever.
            raise FileNotFoundError(2, "No such file" if not path.exists() else "Not a regular file")
        with path.open("rb") as file:
            text = file.read(_LONGEST + 1).decode()
    except UnicodeDecodeError:
        raise BadValue(f"{path} is not UTF-8 text") from None
    except (OSError, ValueError) as exc:
        raise BadValue(f"{str(path)!r} cannot be read: {getattr(exc, 'strerror', None) or 'not a path'}") from None
    if len(text) > _LONGEST:
        raise BadValue(f"{path} is too long for a secret")
    return _checked(text.removesuffix("\n").removesuffix("\r"), str(path))


def _checked(text: str, name: str) -> str:
    if not text or "\0" in text:
        raise BadValue(f"{name} is empty or holds a NUL")
    return text
