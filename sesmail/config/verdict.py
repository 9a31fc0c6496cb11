"""The options of the function that SES asks before it stores mail. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.kinds import SWITCH, choice, matching, optional
from sesmail.config.option import option


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the function in AWS Lambda answers that SES asks, before it stores mail, whether anybody takes it."""

    fail: str = option(
        choice("open", "closed"),
        "open",
        "What becomes of mail when that cannot be found out: open stores it, closed bounces it.",
    )
    mark: str | None = option(
        optional(matching("word", "printable ASCII without spaces, up to 200 characters", r"[!-~]{1,200}")),
        None,
        "Value of the header X-Postfix-Check-2 that the second receipt rule adds; null takes any, which a sender can write too.",
    )
    count: bool = option(
        SWITCH, "false", "Whether it counts the uses of aliases, for where nothing of sesmail sorts the mail afterwards."
    )
