"""What SES found out becomes what the configuration wants."""

from __future__ import annotations

import itertools

import pytest

from sesmail.aws.receipt import DmarcPolicy, Verdict, Verdicts
from sesmail.delivery.plan import Reason
from sesmail.delivery.verdicts import Action, Judgement, VerdictRules, is_authenticated, judge

_FAILED, _PASSED = Verdict.FAIL, Verdict.PASS


def test_without_rules_everything_is_delivered() -> None:
    for spam, virus, dmarc in itertools.product(Verdict, repeat=3):
        assert (
            judge(Verdicts(spam, virus, dmarc=dmarc, dmarc_policy=DmarcPolicy.REJECT), VerdictRules()).action is Action.DELIVER
        )


@pytest.mark.parametrize("action", Action)
def test_what_failed_meets_its_rule(action: Action) -> None:
    rules = VerdictRules(spam=action)
    assert judge(Verdicts(spam=_FAILED), rules).action is action
    assert judge(Verdicts(spam=Verdict.GRAY), rules).action is Action.DELIVER
    assert judge(Verdicts(spam=_PASSED), rules).action is Action.DELIVER
    assert judge(Verdicts(virus=_FAILED), rules).action is Action.DELIVER
    assert judge(Verdicts(virus=_FAILED), VerdictRules(virus=action)).action is action


@pytest.mark.parametrize("none", [Verdict.PROCESSING_FAILED, Verdict.DISABLED, Verdict.UNKNOWN])
def test_what_could_not_be_scanned_meets_its_own_rule(none: Verdict) -> None:
    rules = VerdictRules(spam=Action.DROP, virus=Action.DROP, unscanned=Action.HOLD)
    assert judge(Verdicts(_PASSED, none), rules) == Judgement(Action.HOLD, Reason.VIRUS)
    assert judge(Verdicts(none, _PASSED), rules) == Judgement(Action.HOLD, Reason.SPAM)
    assert judge(Verdicts(_PASSED, _PASSED), rules) == Judgement()


@pytest.mark.parametrize(
    ("policy", "action"),
    [
        (DmarcPolicy.NONE, Action.DELIVER),
        (DmarcPolicy.QUARANTINE, Action.JUNK),
        (DmarcPolicy.REJECT, Action.HOLD),
        (None, Action.DELIVER),
    ],
)
def test_a_dmarc_failure_counts_as_the_senders_domain_asks(policy: DmarcPolicy | None, action: Action) -> None:
    rules = VerdictRules(dmarc_quarantine=Action.JUNK, dmarc_reject=Action.HOLD)
    assert judge(Verdicts(dmarc=_FAILED, dmarc_policy=policy), rules).action is action
    assert judge(Verdicts(dmarc=_PASSED, dmarc_policy=policy), rules).action is Action.DELIVER


def test_the_strictest_rule_wins_and_says_why() -> None:
    rules = VerdictRules(spam=Action.DROP, virus=Action.HOLD, dmarc_reject=Action.HOLD)
    everything = Verdicts(_FAILED, _FAILED, dmarc=_FAILED, dmarc_policy=DmarcPolicy.REJECT)
    assert judge(everything, rules) == Judgement(Action.DROP, Reason.SPAM)
    assert judge(Verdicts(virus=_FAILED, dmarc=_FAILED, dmarc_policy=DmarcPolicy.REJECT), rules) == Judgement(
        Action.HOLD, Reason.VIRUS
    )


@pytest.mark.parametrize(
    "passed", [Verdicts(spf=_PASSED), Verdicts(dkim=_PASSED), Verdicts(_FAILED, spf=_FAILED, dmarc=_PASSED)]
)
def test_one_passed_check_makes_a_sender_known(passed: Verdicts) -> None:
    assert is_authenticated(passed)
    assert judge(passed, VerdictRules()).authenticated


@pytest.mark.parametrize("unknown", [Verdicts(_PASSED, _PASSED), Verdicts(spf=_FAILED, dkim=Verdict.GRAY, dmarc=_FAILED)])
def test_nothing_else_makes_a_sender_known(unknown: Verdicts) -> None:
    assert not judge(unknown, VerdictRules()).authenticated
