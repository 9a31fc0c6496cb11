"""What one POP3 listener allows, offers and waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Policy:
    """Times are in seconds.

    `plaintext`: whose passwords are taken without TLS; ``loopback`` means peers on this host. `login_timeout` is for all that
    comes before the login, however many commands it takes. `stall`: how long a peer may take no octet while we send.
    `strikes` refused logins close the connection. `strike_delay` is how long the first refusal takes, the next one twice that
    and so on; since it is measured from the command, nobody learns from the time what was wrong. `expire_days` and
    `login_delay` are announced when set, `announce_never` announces that mail is kept for ever. `pipeline`: octets of commands
    that may wait behind a running one.
    """

    plaintext: Literal["never", "loopback", "always"] = "loopback"
    login_timeout: float = 60
    autologout: float = 600
    stall: float = 60
    strikes: int = 3
    strike_delay: float = 1.0
    expire_days: int | None = None
    announce_never: bool = False
    login_delay: int | None = None
    implementation: str = "sesmail"
    pipeline: int = 64 * 1024
