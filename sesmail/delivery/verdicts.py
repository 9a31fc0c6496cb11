"""What SES found out about a message, and what the configuration makes of it (Amazon SES Developer Guide, "receipt" object)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sesmail.delivery.plan import Reason


class Result(enum.Enum):
    """The status of one of SES's verdicts. NONE: the check did not run or did not end."""

    PASSED = "PASS"
    FAILED = "FAIL"
    GRAY = "GRAY"
    NONE = "PROCESSING_FAILED"

    @classmethod
    def of(cls, status: object) -> Result:
        """What a notice or a header field says, in any case; NONE for what is not known here, such as ``DISABLED``."""
        return next((result for result in cls if isinstance(status, str) and result.value == status.strip().upper()), cls.NONE)


@dataclass(frozen=True)
class Verdicts:
    """All of them. `dmarc_policy` is what the sender's domain asks for when DMARC failed: ``none``, ``quarantine``, ``reject``."""

    spam: Result = Result.NONE
    virus: Result = Result.NONE
    spf: Result = Result.NONE
    dkim: Result = Result.NONE
    dmarc: Result = Result.NONE
    dmarc_policy: str = ""

    @property
    def authenticated(self) -> bool:
        """Whether the sender is who he says, so that it is no backscatter to answer him."""
        return Result.PASSED in (self.spf, self.dkim, self.dmarc)


class Action(enum.IntEnum):
    """What to do with a message, from mild to strict."""

    DELIVER = 0
    JUNK = 1
    HOLD = 2
    DROP = 3


@dataclass(frozen=True)
class VerdictRules:
    """What to do with what failed. `unscanned`: where spam or virus has no result. A DMARC failure counts as the domain asks."""

    spam: Action = Action.DELIVER
    virus: Action = Action.DELIVER
    unscanned: Action = Action.DELIVER
    dmarc_quarantine: Action = Action.DELIVER
    dmarc_reject: Action = Action.DELIVER


@dataclass(frozen=True)
class Judgement:
    """What to do with one message, why, and whether its sender may be answered."""

    action: Action = Action.DELIVER
    reason: Reason = Reason.RULE
    authenticated: bool = False


def judge(verdicts: Verdicts, rules: VerdictRules) -> Judgement:
    """The strictest of what the rules say; of equally strict ones virus goes before spam and spam before DMARC."""
    said = (
        (_scanned(verdicts.virus, rules.virus, rules.unscanned), Reason.VIRUS),
        (_scanned(verdicts.spam, rules.spam, rules.unscanned), Reason.SPAM),
        (_by_policy(verdicts, rules), Reason.DMARC),
    )
    action, reason = max(said, key=lambda pair: pair[0])
    return Judgement(action, Reason.RULE if action is Action.DELIVER else reason, verdicts.authenticated)


def _scanned(result: Result, failed: Action, unscanned: Action) -> Action:
    return {Result.FAILED: failed, Result.NONE: unscanned}.get(result, Action.DELIVER)


def _by_policy(verdicts: Verdicts, rules: VerdictRules) -> Action:
    if verdicts.dmarc is not Result.FAILED:
        return Action.DELIVER
    policies = {"quarantine": rules.dmarc_quarantine, "reject": rules.dmarc_reject}
    return policies.get(verdicts.dmarc_policy.strip().lower(), Action.DELIVER)
