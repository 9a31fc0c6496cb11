"""What the doctor says of SES: account, identities, configuration sets and receipt rules, by a real HTTP server that plays SES."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sesmail.cli.doctor import receipt
from sesmail.cli.doctor import ses as looked
from sesmail.cli.doctor.aws import Aws
from sesmail.cli.doctor.finding import Finding, State
from sesmail.cli.doctor.together import Look, together
from sesmail.config.table import Config
from tests.cli.doctor.patients import KEYS, REGION, bad, config, in_bucket, the
from tests.servers import ses

DOMAIN = "example.com"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:mail"
QUEUE = f"https://sqs.{REGION}.amazonaws.com/123456789012/mail"
VERIFIED = {"VerifiedForSendingStatus": True, "DkimAttributes": {"Status": "SUCCESS"}}
STORE: dict[str, Any] = {"BucketName": "mail-bucket", "ObjectKeyPrefix": "new/", "TopicArn": TOPIC}


@pytest.fixture
def server() -> Iterator[ses.Server]:
    with ses.running() as running:
        yield running


def patient(server: ses.Server, **sections: Any) -> Config:
    return config(
        **{
            "storage": in_bucket("http://127.0.0.1:9"),
            "ses": {"endpoint": server.endpoint, "region": REGION, **KEYS},
            "queue": {"url": QUEUE},
            **sections,
        }
    )


def account(server: ses.Server) -> list[Finding]:
    asked = patient(server)
    return list(looked.account(asked, [DOMAIN], Aws(asked)))


def identity(server: ses.Server) -> list[Finding]:
    asked = patient(server)
    return list(looked.identity(asked, DOMAIN, Aws(asked)))


def rules(server: ses.Server, **sections: Any) -> list[Finding]:
    asked = patient(server, **sections)
    return list(receipt.rules(asked, [DOMAIN], Aws(asked)))


def activate(server: ses.Server, action: dict[str, Any] | None = None, **rule: Any) -> None:
    """A set with one rule, which stores mail."""
    one = {"Name": "store", "Enabled": True, "Recipients": [DOMAIN], "Actions": [{"S3Action": action or STORE}], **rule}
    server.know("DescribeActiveReceiptRuleSet", Metadata={"Name": "mail-set"}, Rules=[one])


def test_an_account_in_good_standing_is_right(server: ses.Server) -> None:
    found = account(server)
    assert {one.state for one in found} == {State.GOOD}
    assert "of 50000 in 24 hours" in the(found, "quota").said


@pytest.mark.parametrize(
    ("changes", "about", "mend"),
    [
        ({"ProductionAccessEnabled": False}, "sandbox", "put-account-details --production-access-enabled"),
        ({"SendingEnabled": False}, "sending", f"put-account-sending-attributes --sending-enabled --region {REGION}"),
        ({"EnforcementStatus": "PROBATION"}, "reputation", "aws support create-case"),
        ({"SentLast24Hours": 45_000.0}, "quota", "--desired-value 100000"),
    ],
)
def test_what_keeps_an_account_from_sending_is_told_with_the_command(
    server: ses.Server, changes: dict[str, Any], about: str, mend: str
) -> None:
    server.set_account(**changes)
    (wrong,) = bad(account(server))
    assert about in wrong.about
    assert mend in wrong.mend


def test_an_account_without_a_limit_is_right(server: ses.Server) -> None:
    server.set_account(Max24HourSend=-1.0, SentLast24Hours=10.0)
    assert not bad(account(server))


def test_an_account_that_may_not_be_seen_is_a_note_with_the_statement(server: ses.Server) -> None:
    server.plant(ses.Fault("AccessDeniedException", 403, "not you", operation="GetAccount"))
    (only,) = account(server)
    assert (only.state, '"Action": "ses:GetAccount"' in only.mend) == (State.NOTE, True)


def test_wrong_credentials_are_told_as_such(server: ses.Server) -> None:
    server.plant(ses.Fault("UnrecognizedClientException", 403, "The security token is invalid", operation="GetAccount"))
    (wrong,) = bad(account(server))
    assert "access_key_id" in wrong.mend


def test_a_throttle_is_no_fault(server: ses.Server) -> None:
    server.plant(ses.Fault("TooManyRequestsException", 429, operation="GetAccount"))
    assert [one.state for one in account(server)] == [State.UNKNOWN]


def test_an_identity_is_right_when_it_is_verified_and_signed_for(server: ses.Server) -> None:
    server.know("GetEmailIdentity", DOMAIN, **VERIFIED)
    assert [one.state for one in identity(server)] == [State.GOOD]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"VerifiedForSendingStatus": False}, "not verified"),
        ({"DkimAttributes": {"Status": "FAILED"}}, "DKIM is FAILED"),
        ({"MailFromAttributes": {"MailFromDomain": "mail.example.com", "MailFromDomainStatus": "PENDING"}}, "is PENDING"),
    ],
)
def test_an_identity_that_is_not_complete_leads_to_its_records(server: ses.Server, changes: dict[str, Any], said: str) -> None:
    server.know("GetEmailIdentity", DOMAIN, **{**VERIFIED, **changes})
    (wrong,) = bad(identity(server))
    assert said in wrong.said
    assert wrong.mend == "sesmail dns --domain example.com --check"


def test_an_identity_that_ses_does_not_know_is_to_be_made(server: ses.Server) -> None:
    (wrong,) = bad(identity(server))
    assert f"create-email-identity --email-identity {DOMAIN} --region {REGION}" in wrong.mend


def test_a_configuration_set_must_be_there_and_send(server: ses.Server) -> None:
    asked = patient(server)
    server.know("GetConfigurationSet", "good", SendingOptions={"SendingEnabled": True})
    server.know("GetConfigurationSet", "paused", SendingOptions={"SendingEnabled": False})
    good, paused, absent = (
        the(looked.configuration_set(asked, name, Aws(asked)), name) for name in ("good", "paused", "absent")
    )
    assert (good.state, paused.state, absent.state) == (State.GOOD, State.WRONG, State.WRONG)
    assert "put-configuration-set-sending-options --configuration-set-name paused" in paused.mend
    assert "create-configuration-set --configuration-set-name absent" in absent.mend


def test_rules_that_store_and_tell_of_all_mail_are_right(server: ses.Server) -> None:
    activate(server)
    found = rules(server)
    assert {one.state for one in found} == {State.GOOD}
    assert the(found, "rule set").said == "mail-set is active"
    assert the(found, f"mail for {DOMAIN}").said == "is taken by SES"


def test_without_an_active_set_no_mail_is_taken(server: ses.Server) -> None:
    (wrong,) = bad(rules(server))
    assert f"set-active-receipt-rule-set --region {REGION}" in wrong.mend


@pytest.mark.parametrize(
    ("action", "rule", "said", "mend"),
    [
        ({**STORE, "BucketName": "another-bucket"}, {}, "stores mail in mail-bucket", "sesmail cfn --domain example.com"),
        (STORE, {"Enabled": False}, "is turned off", '"Enabled": true'),
        ({**STORE, "ObjectKeyPrefix": "inbox/"}, {}, "looked for below 'new/'", "incoming.prefix: 'inbox/'"),
        ({**STORE, "TopicArn": ""}, {}, "tells nobody of mail", "TopicArn"),
        (
            STORE,
            {"Recipients": ["example.org"]},
            "no rule that stores mail is for it",
            '"Recipients": ["example.org", "example.com"]',
        ),
    ],
)
def test_a_rule_that_loses_mail_is_told_with_what_mends_it(
    server: ses.Server, action: dict[str, Any], rule: dict[str, Any], said: str, mend: str
) -> None:
    activate(server, action, **rule)
    (wrong,) = bad(rules(server))
    assert said in wrong.said
    assert mend in wrong.mend


def test_a_rule_for_everybody_or_for_all_below_a_domain_is_for_a_domain_too(server: ses.Server) -> None:
    for recipients in ([], [".com"]):
        activate(server, Recipients=recipients)
        assert not bad(rules(server))


def test_a_rule_for_some_addresses_is_worth_a_note(server: ses.Server) -> None:
    activate(server, Recipients=[f"tom@{DOMAIN}"])
    assert the(rules(server), f"mail for {DOMAIN}").state is State.NOTE


def test_a_topic_to_which_nobody_listens_is_wrong(server: ses.Server) -> None:
    activate(server)
    sns = {"listeners": [{"endpoint": "tcp:8443:interface=127.0.0.1"}], "topics": [f"{TOPIC}-other"]}
    (wrong,) = bad(rules(server, sns=sns))
    assert wrong.mend == f"sns.topics: [{TOPIC}]"


def test_rules_that_may_not_be_seen_are_a_note_with_the_statement(server: ses.Server) -> None:
    server.plant(ses.Fault("AccessDenied", 403, "not you", operation="DescribeActiveReceiptRuleSet"))
    (only,) = rules(server)
    assert (only.state, '"ses:DescribeActiveReceiptRuleSet"' in only.mend) == (State.NOTE, True)


def test_an_ses_that_cannot_be_reached_is_unknown(server: ses.Server) -> None:
    asked = patient(server, ses={"endpoint": "http://127.0.0.1:9", "region": REGION, **KEYS})
    found = together([Look("SES account", lambda: looked.account(asked, [], Aws(asked)))], 30)
    assert [one.state for one in found] == [State.UNKNOWN]
