"""``sesmail import-config``: write a sesmail.yaml with which the users of another system need not change anything."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from sesmail.aliases import postfixmap
from sesmail.config.foreign import aws_pop3, hybrid, mailtos3, ses_pop3, tacomail
from sesmail.config.foreign.draft import Beside, Draft
from sesmail.config.foreign.hybrid_receiving import Source
from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.errors import Malformed, Unavailable

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def run(args: argparse.Namespace) -> int:
    """Write the configuration and say what there is to know. Raises ConfigError for what cannot be taken over; then no file is
    left behind."""
    files = Files(Path(args.output)) if args.output else None
    draft = _SYSTEMS[args.system](args, files.beside if files else None)
    text = draft.text()
    if files is None:
        warnings = _checked(draft, text)
        sys.stdout.write(text)
    else:
        warnings = files.write(text, lambda: _checked(draft, text))
    for warning in dict.fromkeys([*draft.warnings, *warnings]):
        print(f"warning: {warning}", file=sys.stderr)
    return 0


class Files:
    """A file to be written, and those that belong to it. All are for their owner alone."""

    def __init__(self, output: Path) -> None:
        self._output = Path(os.path.abspath(output))
        self._texts: dict[Path, str] = {}

    def beside(self, name: str, content: str) -> str:
        """Take a text for a file beside the output; returns its path."""
        path = self._output.with_name(f"{self._output.stem}.{name}")
        self._texts[path] = content
        return str(path)

    def write(self, text: str, check: Callable[[], list[str]]) -> list[str]:
        """Write all and return what `check` says. Raises ConfigError, and what it raises; then none of the files is left."""
        written: list[Path] = []
        try:
            for path, content in (*self._texts.items(), (self._output, text)):
                _write(path, content)
                written.append(path)
            return check()
        except BaseException:
            for path in written:
                path.unlink()
            raise


def _write(path: Path, content: str) -> None:
    try:
        with os.fdopen(os.open(path, _NEW, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigError([Problem(Where(str(path)), "", "is there already, and nothing is overwritten")]) from None
    except OSError as error:
        raise ConfigError([Problem(Where(str(path)), "", f"cannot be written: {error.strerror}")]) from None


def _checked(draft: Draft, text: str) -> list[str]:
    """What check-config warns of. Raises ConfigError for what it refuses, but for certificates that may only lie elsewhere."""
    try:
        config = from_text(text, "the result", {})
    except ConfigError as error:
        problems = draft.explained(error)
        if any(not one.key.startswith("tls-") or not one.message.endswith("does not exist") for one in problems):
            raise ConfigError(problems) from None
        return [str(problem) for problem in problems]
    _check_table(config)
    return list(config.warnings)


def _check_table(config: Config) -> None:
    if config.aliases.map is not None:
        try:
            postfixmap.load(config.aliases.map)
        except (Malformed, Unavailable) as error:
            raise ConfigError([Problem(Where(error.public), "", "")]) from None


def _ses_pop3(args: argparse.Namespace, beside: Beside | None) -> Draft:
    return ses_pop3.draft(ses_pop3.read(os.environ, args.file), beside)


def _aws_pop3(args: argparse.Namespace, beside: Beside | None) -> Draft:
    options = {"ip-address": args.ip_address, "port": args.port, "mail-store-type": args.mail_store_type}
    return aws_pop3.draft(os.environ, {name: value for name, value in options.items() if value is not None}, beside)


def _hybrid(args: argparse.Namespace, beside: Beside | None) -> Draft:
    if args.topic is not None and args.bucket is None:
        raise ConfigError([Problem(Where("--topic"), "", "needs --bucket beside it, the bucket in which SES stores mail")])
    source = None if args.bucket is None else Source(args.bucket, args.topic)
    return hybrid.draft(Path(args.folder), os.environ, args.domain, beside, source)


def _mailtos3(args: argparse.Namespace, beside: Beside | None) -> Draft:
    return mailtos3.draft(mailtos3.read(args.file))


def _tacomail(args: argparse.Namespace, beside: Beside | None) -> Draft:
    return tacomail.draft(os.environ, args.bucket, args.mailbox, args.domain)


_SYSTEMS = {
    "aws-ses-pop3-server": _ses_pop3,
    "aws-pop3-server": _aws_pop3,
    hybrid.SYSTEM: _hybrid,
    mailtos3.SYSTEM: _mailtos3,
    tacomail.SYSTEM: _tacomail,
}
