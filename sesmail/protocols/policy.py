"""What every listener allows and waits for, whatever its protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SessionPolicy:
    """`stall`: seconds for which a peer may take no octet while we send. `pipeline`: octets of commands that may wait behind a running
    one."""

    stall: float = 60
    pipeline: int = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class LoginPolicy(SessionPolicy):
    """Where people log in. Times are in seconds.

    `login_timeout` is for all that comes before the login, however many commands it takes. `strikes` refused logins close the
    connection. `strike_delay` is how long the first refusal takes, the next one twice that and so on; since it is measured from the
    command, nobody learns from the time what was wrong.
    """

    login_timeout: float = 60
    strikes: int = 3
    strike_delay: float = 1.0
