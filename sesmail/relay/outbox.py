"""The courier that sends nothing: mail becomes files in a folder, for trying things out and for whoever fetches it there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sesmail.disk import troubles
from sesmail.errors import MailError
from sesmail.mail.delivered import fields
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 256 * 1024
_FULL = Outcome(452, "4.3.1", "no room for it, try again later")
_TROUBLE = Outcome(451, "4.3.0", "temporary trouble, try again later")


class OutboxCourier:
    """See Courier. A message becomes one file ``TIME-ID.eml``: the fields of delivery, with every recipient, and its own octets.

    `folder` is made when it is first needed. `now` gives Unix time, `new_id` ids that do not repeat.
    """

    def __init__(self, folder: Path, *, now: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._folder = folder
        self._now = now
        self._new_id = new_id

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See Courier. What is accepted is durable; no half of a file ever has a name that ends in ``.eml``."""
        moment = datetime.fromtimestamp(self._now(), UTC)
        name = f"{moment:%Y%m%dT%H%M%S.%f}Z-{self._new_id()}.eml"
        try:
            with troubles():
                self._write(name, fields(envelope.sender, envelope.recipients), message)
        except MailError as error:
            return dict.fromkeys(envelope.recipients, _FULL if error.smtp == _FULL.reply[:9] else _TROUBLE)
        return dict.fromkeys(envelope.recipients, Outcome(250, "2.0.0", f"Ok written as {name}", id=name))

    def _write(self, name: str, head: bytes, message: BinaryIO) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._folder / f".{name}.part"
        try:
            with os.fdopen(os.open(partial, _CREATE, 0o600), "wb") as file:
                file.write(head)
                shutil.copyfileobj(message, file, _PIECE)
                file.flush()
                os.fsync(file.fileno())
            os.rename(partial, self._folder / name)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
