"""What SES found out becomes what the configuration wants."""

from __future__ import annotations

import itertools

import pytest

from sesmail.delivery.plan import Reason
from sesmail.delivery.verdicts import Action, Judgement, Result, VerdictRules, Verdicts, judge

_FAILED, _PASSED = Result.FAILED, Result.PASSED


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("PASS", Result.PASSED),
        ("fail", Result.FAILED),
        (" Gray\r\n", Result.GRAY),
        ("PROCESSING_FAILED", Result.NONE),
        ("DISABLED", Result.NONE),
        ("", Result.NONE),
        (None, Result.NONE),
        (["PASS"], Result.NONE),
    ],
)
def test_every_status_has_a_result(status: object, result: Result) -> None:
    assert Result.of(status) is result


def test_without_rules_everything_is_delivered() -> None:
    for spam, virus, dmarc in itertools.product(Result, repeat=3):
        assert judge(Verdicts(spam, virus, dmarc=dmarc, dmarc_policy="reject"), VerdictRules()).action is Action.DELIVER


@pytest.mark.parametrize("action", Action)
def test_what_failed_meets_its_rule(action: Action) -> None:
    rules = VerdictRules(spam=action)
    assert judge(Verdicts(spam=_FAILED), rules).action is action
    assert judge(Verdicts(spam=Result.GRAY), rules).action is Action.DELIVER
    assert judge(Verdicts(spam=_PASSED), rules).action is Action.DELIVER
    assert judge(Verdicts(virus=_FAILED), rules).action is Action.DELIVER
    assert judge(Verdicts(virus=_FAILED), VerdictRules(virus=action)).action is action


def test_what_could_not_be_scanned_meets_its_own_rule() -> None:
    rules = VerdictRules(spam=Action.DROP, virus=Action.DROP, unscanned=Action.HOLD)
    assert judge(Verdicts(_PASSED, Result.NONE), rules) == Judgement(Action.HOLD, Reason.VIRUS)
    assert judge(Verdicts(Result.NONE, _PASSED), rules) == Judgement(Action.HOLD, Reason.SPAM)
    assert judge(Verdicts(_PASSED, _PASSED), rules) == Judgement()


@pytest.mark.parametrize(
    ("policy", "action"),
    [
        ("none", Action.DELIVER),
        ("quarantine", Action.JUNK),
        ("REJECT", Action.HOLD),
        ("", Action.DELIVER),
        ("odd", Action.DELIVER),
    ],
)
def test_a_dmarc_failure_counts_as_the_senders_domain_asks(policy: str, action: Action) -> None:
    rules = VerdictRules(dmarc_quarantine=Action.JUNK, dmarc_reject=Action.HOLD)
    assert judge(Verdicts(dmarc=_FAILED, dmarc_policy=policy), rules).action is action
    assert judge(Verdicts(dmarc=_PASSED, dmarc_policy=policy), rules).action is Action.DELIVER


def test_the_strictest_rule_wins_and_says_why() -> None:
    rules = VerdictRules(spam=Action.DROP, virus=Action.HOLD, dmarc_reject=Action.HOLD)
    everything = Verdicts(_FAILED, _FAILED, dmarc=_FAILED, dmarc_policy="reject")
    assert judge(everything, rules) == Judgement(Action.DROP, Reason.SPAM)
    assert judge(Verdicts(virus=_FAILED, dmarc=_FAILED, dmarc_policy="reject"), rules) == Judgement(Action.HOLD, Reason.VIRUS)


@pytest.mark.parametrize(
    "passed", [Verdicts(spf=_PASSED), Verdicts(dkim=_PASSED), Verdicts(_FAILED, spf=_FAILED, dmarc=_PASSED)]
)
def test_one_passed_check_makes_a_sender_known(passed: Verdicts) -> None:
    assert judge(passed, VerdictRules()).authenticated


@pytest.mark.parametrize("unknown", [Verdicts(_PASSED, _PASSED), Verdicts(spf=_FAILED, dkim=Result.GRAY, dmarc=_FAILED)])
def test_nothing_else_makes_a_sender_known(unknown: Verdicts) -> None:
    assert not judge(unknown, VerdictRules()).authenticated
