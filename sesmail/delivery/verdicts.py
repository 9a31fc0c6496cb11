"""What SES found out about a message, and what the configuration makes of it (Amazon SES Developer Guide, "receipt" object)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sesmail.aws.receipt import DmarcPolicy, Verdict, Verdicts
from sesmail.delivery.plan import Reason

_SCANNED = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.GRAY})


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
    return Judgement(action, Reason.RULE if action is Action.DELIVER else reason, is_authenticated(verdicts))


def is_authenticated(verdicts: Verdicts) -> bool:
    """Whether the sender is who he says, so that it is no backscatter to answer him."""
    return Verdict.PASS in (verdicts.spf, verdicts.dkim, verdicts.dmarc)


def _scanned(verdict: Verdict, failed: Action, unscanned: Action) -> Action:
    if verdict is Verdict.FAIL:
        return failed
    return Action.DELIVER if verdict in _SCANNED else unscanned


def _by_policy(verdicts: Verdicts, rules: VerdictRules) -> Action:
    if verdicts.dmarc is not Verdict.FAIL:
        return Action.DELIVER
    policies = {DmarcPolicy.QUARANTINE: rules.dmarc_quarantine, DmarcPolicy.REJECT: rules.dmarc_reject}
    return policies.get(verdicts.dmarc_policy, Action.DELIVER) if verdicts.dmarc_policy else Action.DELIVER
