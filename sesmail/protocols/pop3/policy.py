"""What one POP3 listener allows, offers and waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sesmail.protocols.policy import LoginPolicy


@dataclass(frozen=True, kw_only=True)
class Policy(LoginPolicy):
    """Times are in seconds.

    `plaintext`: whose passwords are taken without TLS; ``loopback`` means peers on this host. `expire_days` and `login_delay` are
    announced when set, `announce_never` announces that mail is kept for ever.
    """

    plaintext: Literal["never", "loopback", "always"] = "loopback"
    autologout: float = 600
    expire_days: int | None = None
    announce_never: bool = False
    login_delay: int | None = None
    implementation: str = "sesmail"
