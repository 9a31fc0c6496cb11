"""What another mail server hands over by LMTP: its recipients are checked, its message is kept until it is whole, and delivered.

Plain blocking code.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from sesmail import log
from sesmail.delivery.local import refusal
from sesmail.delivery.plan import Plan
from sesmail.disk import troubles, write_all
from sesmail.errors import Refused
from sesmail.interfaces import Deliver
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome

_PIECE = 65_536
_NOTHING_SAID = Outcome(451, "4.3.0", "temporary failure, try again later")


class Handover:
    """Where mail is handed over. As thread-safe as what it is given: `plan` is `Routing.plan`. `folder`: where messages lie until they
    are delivered; None is the system's for temporary files."""

    def __init__(self, plan: Callable[[str, Sequence[str]], Plan], deliver: Deliver, folder: str | None = None) -> None:
        self._plan = plan
        self.deliver = deliver
        self.folder = folder

    def check(self, recipient: str) -> None:
        """Raises Refused, with its reply code, for whom there is no destination that would take mail, Unavailable when that could not
        be found out."""
        said = [refusal(step.destination) for step in self._plan("", (recipient,)).steps]
        if said and (first := said[0]) is not None and None not in said:
            raise Refused(first.text, smtp=f"{first.code} {first.status}")

    def take(self, sender: str, recipients: Sequence[str], queue_id: str | None = None) -> FiledParcel:
        """One message for these, each named once. `queue_id`: see Envelope."""
        return FiledParcel(self, Envelope(sender, tuple(recipients), queue_id=queue_id))


class FiledParcel:
    """One message. For one thread at a time; it ends with `deliver` or with `discard`.

    Nothing of it outlives the process: until it is delivered the other server has it.
    """

    def __init__(self, handover: Handover, envelope: Envelope) -> None:
        self._handover = handover
        self._envelope = envelope
        self._file: io.RawIOBase | None = None
        self._octets = 0

    def write(self, data: bytes) -> None:
        """The next octets, into a file that has no name. Raises Limited (``452 4.3.1``) when the disk is full, Unavailable."""
        with troubles():
            if self._file is None:
                # Unbuffered: what a full disk has refused must not be tried again when the file is closed.
                self._file = cast(io.RawIOBase, TemporaryFile(dir=self._handover.folder, buffering=0))  # noqa: SIM115
            write_all(self._file.fileno(), data)
        self._octets += len(data)

    def deliver(self, last: bytes) -> Mapping[str, Outcome]:
        """The last octets; a message that has no others never sees the disk. Returns an outcome for each recipient: what is ACCEPTED
        is durable or with its next hop. Raises as `write`."""
        try:
            with log.under(self._envelope.queue_id):
                outcomes = self._handover.deliver(self._envelope, self._whole(last))
        finally:
            self.discard()
        told = {recipient: outcomes.get(recipient, _NOTHING_SAID) for recipient in self._envelope.recipients}
        log.fate(
            "received",
            sender=self._envelope.sender,
            recipients=len(told),
            octets=self._octets,
            id=next((outcome.id for outcome in told.values() if outcome.id), None),
            replies=sorted({outcome.code for outcome in told.values()}),
            queue_id=self._envelope.queue_id,
        )
        return told

    def discard(self) -> None:
        """Nothing of it stays here. May be called more than once."""
        if self._file is not None:
            self._file.close()

    def _whole(self, last: bytes) -> BinaryIO:
        if self._file is None:
            self._octets = len(last)
            return io.BytesIO(last)
        if last:
            self.write(last)
        self._file.seek(0)
        return io.BufferedReader(self._file, _PIECE)
