"""What one listener for mail allows, offers and waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sesmail.protocols.policy import LoginPolicy, SessionPolicy


@dataclass(frozen=True, kw_only=True)
class MailPolicy(SessionPolicy):
    """Times are in seconds.

    `hostname` is who we say we are. `max_size`: octets of a message with CRLF line ends, dots removed. `max_recipients` of one
    message. `bare_newlines`: what becomes of a message with a CR or LF that stands alone. `greeting_delay`: how long the greeting
    waits for a client that talks before it. `command_timeout`: for the next command, where no login is waited for.

    While a message is received, its next octet may take `data_timeout`; on the whole it must come at `data_rate` octets a second or
    faster, but for `data_grace` seconds that the client may lose (RFC 5321 section 4.5.3.2 wants 3 minutes for one block).

    A session ends after `errors` commands that are none, or come out of order, and after `pointless` commands that were understood
    and brought no message any nearer; a login and a message that is accepted clear both counts. Refused recipients count only after
    `refused_recipients` of them in one transaction: a long list may have many.
    """

    hostname: str = "localhost"
    max_size: int = 30_000_000
    max_recipients: int = 100
    bare_newlines: Literal["refuse", "repair"] = "refuse"
    greeting_delay: float = 0
    command_timeout: float = 300
    data_timeout: float = 180
    data_rate: float = 1024
    data_grace: float = 300
    errors: int = 20
    pointless: int = 200
    refused_recipients: int = 1000
    pipeline: int = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class Policy(MailPolicy, LoginPolicy):
    """What a listener for mail programs that submit allows, offers and waits for."""


@dataclass(frozen=True, kw_only=True)
class LMTPPolicy(MailPolicy):
    """Another mail server has accepted the mail already: what we refuse, it has to return, so we take what we can store."""

    max_size: int = 64 << 20
    max_recipients: int = 1000
    bare_newlines: Literal["refuse", "repair"] = "repair"
