"""The agent for addresses elsewhere."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO, TypeAlias, cast

from sesmail.alarms import Alarms
from sesmail.delivery.ends import failed, tell
from sesmail.delivery.lineends import pieces, with_crlf
from sesmail.delivery.message import Message
from sesmail.delivery.plan import Forward, Step
from sesmail.delivery.prefixed import prefixed
from sesmail.errors import Malformed, NoSuchMessage
from sesmail.mail.envelope import Envelope
from sesmail.mail.forwarding import forwarded
from sesmail.mail.headers import end_of_header
from sesmail.mail.outcome import Outcome

Carry: TypeAlias = Callable[[Envelope, BinaryIO], Mapping[str, Outcome]]
"""One attempt, as of `relay.courier.Courier.send`: an outcome for each recipient."""

HEADER_OCTETS = 256 * 1024
"""A header that is longer is not sent on."""

_IN_MEMORY = 1024 * 1024
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LF_ALONE = re.compile(rb"(?<!\r)\n")
_NO_ADDRESS = Outcome(
    451, "4.3.5", "mail cannot be sent on from here", alarm="forward_from: not set, so that mail to be forwarded waits"
)
_UNTOLD = Outcome(451, "4.3.0", "not tried")


class ForwardAgent:
    """See Agent. All addresses of a message are one transaction of `carry`, with an outcome each.

    `forward_from` is a verified address: the envelope's sender, so that bounces come back to it, and the new From. Without one mail waits,
    with an alarm. `gateway` is what this gateway, or all that serve one bucket, call themselves in mail that they send on. See
    `mail.forwarding` for what becomes of the header; the body stays as it is.
    """

    def __init__(
        self, carry: Carry, *, forward_from: str | None, gateway: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._alarms = Alarms(clock)
        self._carry = carry
        self._from = forward_from
        self._gateway = gateway

    def deliver(self, steps: Sequence[Step], message: Message) -> Mapping[str, Outcome]:
        """See Agent. A message that goes in circles, or whose header means different things to different programs, is REFUSED."""
        if self._from is None:
            # Of all others `carry` has told.
            self._alarms.hear([_NO_ADDRESS])
            return {step.name: _NO_ADDRESS for step in steps}
        addresses = {step.name: cast(Forward, step.destination).address for step in steps}
        try:
            replies = self._sent(self._from, tuple(addresses.values()), message)
        except NoSuchMessage:
            raise
        except Exception as error:
            return {step.name: failed(step, message, error) for step in steps}
        outcomes = {step.name: replies.get(addresses[step.name], _UNTOLD) for step in steps}
        for step in steps:
            tell("forwarded", step, message, outcomes[step.name], forward_to=addresses[step.name])
        return outcomes

    def _sent(self, forward_from: str, addresses: tuple[str, ...], message: Message) -> Mapping[str, Outcome]:
        with closing(message.open()) as file, _in_crlf(file) as whole:
            end = _end(head := whole.read(HEADER_OCTETS))
            new = forwarded(head[:end], sender=message.arrival.sender, forward_from=forward_from, gateway=self._gateway)
            whole.seek(end)
            # Nothing is returned: a report would go to whom the author never wrote.
            return self._carry(Envelope(forward_from, addresses), prefixed(new, whole))


def _end(head: bytes) -> int:
    """Where the body begins."""
    end = end_of_header(head)
    if end is None and len(head) < HEADER_OCTETS:
        # A message that ends with its header.
        return len(head)
    if not end:
        raise Malformed("the message has no header, or one that is too long", smtp="554 5.6.0")
    return end


@contextmanager
def _in_crlf(file: BinaryIO) -> Iterator[BinaryIO]:
    """The message, at its first octet; a copy of it if its header has LF for CRLF, as local programs write it."""
    head = file.read(HEADER_OCTETS)
    file.seek(0)
    blank = _BLANK_LINE.search(head)
    if not _LF_ALONE.search(head, 0, blank.end() if blank else len(head)):
        yield file
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        for piece in with_crlf(pieces(file)):
            copy.write(piece)
        copy.seek(0)
        yield cast(BinaryIO, copy)
