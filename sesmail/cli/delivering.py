"""How `sesmail deliver` delivers: by the gateway that runs, or else by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from sesmail.cli.deliver import EXIT_DATA, EXIT_LATER, EXIT_NO_USER, EXIT_REFUSED
from sesmail.cli.deliverinput import taken
from sesmail.cli.deliverwords import BadWords, Words, read
from sesmail.delivery.handover import NotThere, handed_over, worst
from sesmail.delivery.lmtpsession import LmtpSettings
from sesmail.errors import Malformed, TooLarge
from sesmail.mail.address import any_path, path, quoted
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.mail.trace import HEAD, topmost, word

_SETTINGS = {"hostname": "sesmail-deliver", "timeout": 300.0, "patience": 600.0}
_STATUSES = {"5.1.1": EXIT_NO_USER, "5.1.3": EXIT_NO_USER, "5.3.4": EXIT_DATA, "5.6.0": EXIT_DATA}


class NoAddress(Exception):
    """Nobody can have such an address."""


def delivered(words: Sequence[str], usual: str) -> tuple[int, str]:
    """Deliver; returns the exit status and what to say. `usual`: where a gateway may answer that no configuration was asked about.

    Raises whatever is our own trouble.
    """
    try:
        asked = read(words)
        message = taken(0, asked.message)
        envelope = _envelope(asked, message)
    except (BadWords, Malformed) as error:
        return EXIT_LATER, f"4.3.0 {error}"
    except TooLarge:
        return EXIT_DATA, "5.3.4 the message is too large"
    except NoAddress as error:
        return EXIT_NO_USER, f"5.1.3 {error}"
    return _result(worst(_outcomes(asked, usual, envelope, message)))


def _outcomes(asked: Words, usual: str, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
    first = asked.socket or (None if asked.config else usual)
    found = _by_gateway(first, envelope, message) if first and asked.addresses else None
    if found is not None:
        return found
    # Each of these takes longer than all that is done by then.
    from sesmail.cli.deliversockets import sockets, unix_socket

    tried = {first}
    for socket in sockets(asked.config, os.environ) if asked.addresses else ():
        tried.add(socket)
        if socket != first and (found := _by_gateway(socket, envelope, message)) is not None:
            return found
    from sesmail.config.load import load

    config = load(asked.config)
    for one in config.lmtp.listeners if asked.addresses else ():
        socket = unix_socket(one.endpoint) if one.tls == "none" else ""
        if socket and socket not in tried and (found := _by_gateway(socket, envelope, message)) is not None:
            return found
    from sesmail.cli.deliverself import by_itself

    return by_itself(config, envelope, message)


def _by_gateway(socket: str, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome] | None:
    """What the gateway behind this socket says, None where there is none."""
    message.seek(0)
    settings = LmtpSettings(socket, **_SETTINGS)  # type: ignore[arg-type]
    try:
        return handed_over(
            settings, envelope.sender, envelope.recipients, message, envelope.queue_id or "", clock=time.monotonic
        )
    except NotThere:
        return None


def _envelope(asked: Words, message: BinaryIO) -> Envelope:
    """Raises Malformed for what a line in master.cf has wrong, NoAddress for an address that nobody can have."""
    found = asked.queue_id and word(asked.queue_id)
    queue_id = found or topmost(message.read(HEAD)).queue_id or os.urandom(16).hex()
    message.seek(0)
    people = tuple(dict.fromkeys(map(_recipient, asked.addresses)))
    return Envelope(_sender(asked.sender), people or ("CatchAll",), queue_id=queue_id)


def _recipient(text: str) -> str:
    if "@" not in text[1:-1]:
        raise Malformed("the address of the recipient has no domain; look at the line that calls sesmail deliver")
    try:
        return path(_in_brackets(text))[0]
    except Malformed as error:
        raise NoAddress(error.public) from None


def _sender(text: str) -> str:
    return any_path(_in_brackets(text))[0] if text else ""


def _in_brackets(text: str) -> bytes:
    # Postfix hands addresses over without the quotes that their local parts would need.
    local, at, domain = text.rpartition("@")
    if at and not local.startswith('"'):
        local = quoted(local)
    return f"<{local}{at}{domain}>".encode("utf-8", "replace")


def _result(outcome: Outcome) -> tuple[int, str]:
    if outcome.verdict is Verdict.ACCEPTED:
        return 0, ""
    if outcome.verdict is Verdict.LATER:
        return EXIT_LATER, f"4.3.0 {outcome.text}"
    return _STATUSES.get(outcome.status, EXIT_REFUSED), f"{outcome.status} {outcome.text}"
