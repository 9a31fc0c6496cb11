"""What a mail program made of the mail, held against what was stored: by SHA-256, message by message."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.corpus.messages import Message

Shown = Callable[[Message], bytes]


def by_number(folder: Path, mails: Sequence[Message]) -> set[str]:
    """Names of the messages whose file, called by their number, is missing or is not their CRLF form, octet for octet."""
    return {mail.name for number, mail in enumerate(mails, 1) if _digest_of(folder / str(number)) != mail.digest}


def in_any_order(folder: Path, mails: Iterable[Message], shown: Shown = lambda mail: mail.wire) -> set[str]:
    """Names of the messages of which no file holds exactly what `shown` says."""
    digests = {_digest_of(file) for file in folder.iterdir()}
    return {mail.name for mail in mails if hashlib.sha256(shown(mail)).hexdigest() not in digests}


def strangers(folder: Path, mails: Iterable[Message], shown: Shown = lambda mail: mail.wire) -> list[bytes]:
    """How those files begin that are none of the messages."""
    digests = {hashlib.sha256(shown(mail)).hexdigest() for mail in mails}
    return [file.read_bytes()[:300] for file in folder.iterdir() if _digest_of(file) not in digests]


def _digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""
