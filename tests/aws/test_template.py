"""The CloudFormation template, and what `sesmail cfn` makes of it."""

from __future__ import annotations

import json
import re
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from sesmail.aws import policies
from sesmail.aws.policies import Account, Arrivals, Boxes
from sesmail.aws.question import MARK
from sesmail.aws.template import logical_id, source, template
from sesmail.errors import Malformed
from sesmail.functions import api, verdict
from sesmail.functions.settings import quick_settings
from tests.aws.cloudformation import ACCOUNT, REGION, Stack, parsed

_ROOT = Path(__file__).parents[2]
_LINT = _ROOT / ".venv-tools/bin/cfn-lint"
DOMAINS = ["example.com", "my-shop.example.org", "my.shop.example.org"]
EVERYTHING = {
    "SnsHttpsEndpointAddress": "https://sns:secret@mail.example.com:8443/",
    "ActivateRuleSet": "yes",
    "SealMail": "yes",
    "AliasTable": "yes",
    "FunctionCodeBucket": "code",
    "VerdictHandler": "sesmail.functions.verdict.judge",
    "ApiHandler": "sesmail.functions.api.answer",
    "Gateway": "both",
    "UserForEachDomain": "yes",
}


def everything(*domains: str, **parameters: str) -> Stack:
    return Stack(template(domains or DOMAINS), **(EVERYTHING | parameters))


def smallest() -> Stack:
    none = {"MailQueue": "no", "Feedback": "no", "Gateway": "none", "MailFromSubdomain": "", "ScanReceivedMail": "no"}
    return Stack(template(["example.com"]), **none)


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    assert document["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = document["Statement"]
    return found


def several(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def allowed(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Actions and resources."""
    assert {one["Effect"] for one in found} == {"Allow"}
    return {(action, resource) for one in found for action in several(one["Action"]) for resource in several(one["Resource"])}


def beyond(some: set[tuple[str, str]], others: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """What `some` allow and `others` do not."""
    return {one for one in some if not any(one[0] == other[0] and fnmatchcase(one[1], other[1]) for other in others)}


@pytest.mark.parametrize("domains", [None, DOMAINS[:1], DOMAINS, [f"{'x' * 20}{number}.example" for number in range(40)]])
def test_cfn_lint_finds_nothing(domains: list[str] | None, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(source() if domains is None else template(domains))
    done = subprocess.run([_LINT, "--regions", "us-east-1,eu-west-1", "--", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_transform_is_needed() -> None:
    assert set(parsed(source())) == {
        "AWSTemplateFormatVersion",
        "Description",
        "Parameters",
        "Conditions",
        "Resources",
        "Outputs",
    }


def test_for_one_domain_it_is_the_template_as_it_is_kept() -> None:
    written = parsed(template(["example.com"]).replace("OfexampleDotcom", "OfDomain"))
    kept = parsed(source())
    del kept["Parameters"]["Domain"]
    filled = Stack(source(), **EVERYTHING, Domain="example.com")
    assert Stack(template(["example.com"]).replace("OfexampleDotcom", "OfDomain"), **EVERYTHING).resources == filled.resources
    assert written["Parameters"] == kept["Parameters"]
    assert written["Conditions"] == kept["Conditions"]


def test_every_domain_has_its_own_things_and_shares_the_rest() -> None:
    stack = everything()
    for domain in DOMAINS:
        id = logical_id(domain)
        assert stack.of("SES::EmailIdentity")[f"IdentityOf{id}"]["EmailIdentity"] == domain
        assert stack.of("SES::EmailIdentity")[f"IdentityOf{id}"]["MailFromAttributes"] == {
            "MailFromDomain": f"mail.{domain}",
            "BehaviorOnMxFailure": "REJECT_MESSAGE",
        }
        assert f"UserOf{id}" in stack.of("IAM::User")
        assert f"DnsOf{id}" in stack.outputs
    assert len(stack.of("S3::Bucket")) == len(stack.of("SNS::Topic")) == len(stack.of("SES::ReceiptRuleSet")) == 1
    for rule in stack.of("SES::ReceiptRule").values():
        assert rule["Rule"]["Recipients"] == DOMAINS
    variables = stack.of("Lambda::Function")["SortFunction"]["Environment"]["Variables"]
    assert variables["SESMAIL__MAILBOXES__DOMAINS"] == f"[{', '.join(DOMAINS)}]"


def test_names_of_resources_are_letters_and_digits_and_never_the_same() -> None:
    alike = ["a-b.c", "a.b-c", "a.b.c", "adashb.c", "adotb.c", "a--b.c", "xn--bcher-kva.example"]
    ids = [logical_id(domain) for domain in alike]
    assert len(set(ids)) == len(alike)
    assert all(id.isascii() and id.isalnum() for id in ids)
    with pytest.raises(Malformed, match="too long"):
        logical_id(".".join(["a-" * 30 + "a"] * 4))


def test_more_domains_than_a_stack_takes_are_refused() -> None:
    with pytest.raises(Malformed, match="ReceiptRuleSet"):
        template([f"d{number}.example" for number in range(101)])
    with pytest.raises(Malformed, match="too many domains"):
        template([f"{'long' * 15}{number}.example" for number in range(40)])


@pytest.mark.parametrize("length", [8, 30, 60])
def test_the_policy_of_the_gateway_is_not_longer_than_iam_takes(length: int) -> None:
    domains: list[str] = []
    while is_taken([*domains, f"{len(domains):03}{'x' * length}.example"]):
        domains.append(f"{len(domains):03}{'x' * length}.example")
    stack = Stack(template(domains), partition="aws-us-gov", **EVERYTHING)
    document = stack.of("IAM::ManagedPolicy")["GatewayPolicy"]["PolicyDocument"]
    # Names that CloudFormation makes are longer than those here.
    assert len(json.dumps(document, separators=(",", ":"))) + 800 < 6144


def is_taken(domains: list[str]) -> bool:
    try:
        return bool(template(domains))
    except Malformed:
        return False


def test_ses_alone_writes_to_the_bucket_and_nobody_without_tls() -> None:
    stack = everything()
    ses, tls = statements(stack.of("S3::BucketPolicy")["MailBucketPolicy"]["PolicyDocument"])
    assert ses == {
        "Sid": "SesStoresMail",
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::mailbucket/new/*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:receipt-rule-set/RuleSet:receipt-rule/*"},
        },
    }
    assert tls["Effect"] == "Deny"
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert set(stack.of("S3::Bucket")["MailBucket"]["PublicAccessBlockConfiguration"].values()) == {True}


def test_ses_may_seal_with_the_key_for_this_account_alone() -> None:
    owner, ses = statements(everything().of("KMS::Key")["MailKey"]["KeyPolicy"])
    assert owner["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert ses["Principal"] == {"Service": "ses.amazonaws.com"}
    assert ses["Action"] == ["kms:Encrypt", "kms:GenerateDataKey*"]
    assert ses["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert ses["Condition"]["ArnLike"]["aws:SourceArn"].startswith(f"arn:aws:ses:{REGION}:{ACCOUNT}:receipt-rule-set/")


def test_no_mail_for_anybody_expires_and_mail_stays_when_the_stack_goes() -> None:
    stack = everything()
    rules = stack.of("S3::Bucket")["MailBucket"]["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"] for rule in rules if set(rule) & {"ExpirationInDays", "ExpirationDate", "Transitions"}}
    assert expiring == {"new/AMAZON_SES_SETUP_NOTIFICATION", "swept/"}
    # Unfinished uploads are no objects.
    assert {next(iter(set(rule) - {"Id", "Status"})) for rule in rules if "Prefix" not in rule} == {
        "AbortIncompleteMultipartUpload"
    }
    kept = {name for name, one in stack.resources.items() if one.get("DeletionPolicy") == "Retain"}
    assert kept == {"MailBucket", "MailKey", "Aliases"}


def test_sns_may_write_to_each_queue_for_our_topic_alone() -> None:
    stack = everything()
    by_queue = {one["Queues"][0]: one["PolicyDocument"] for one in stack.of("SQS::QueuePolicy").values()}
    assert set(by_queue) == set(stack.of("SQS::Queue"))
    for queue, document in by_queue.items():
        (statement,) = statements(document)
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", stack.arn(queue))
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": stack.arn("MailTopic")}}


def test_every_subscription_ends_in_the_queue_of_dead_letters() -> None:
    stack = everything()
    found = stack.of("SNS::Subscription")
    assert {one["Protocol"] for one in found.values()} == {"sqs", "https", "lambda"}
    dead = {"deadLetterTargetArn": stack.arn("DeadLetterQueue")}
    assert all(one["RedrivePolicy"] == dead for one in found.values())
    assert stack.of("Lambda::Function")["SortFunction"]["DeadLetterConfig"] == {"TargetArn": stack.arn("DeadLetterQueue")}
    queues = stack.of("SQS::Queue")
    assert queues["NoticeQueue"]["RedrivePolicy"] == {**dead, "maxReceiveCount": 10}
    assert {one["MessageRetentionPeriod"] for one in queues.values()} == {14 * 86400}
    assert found["HttpsSubscription"]["Endpoint"] == EVERYTHING["SnsHttpsEndpointAddress"]
    retries = {"numRetries": 2, "minDelayTarget": 60, "maxDelayTarget": 3540}
    assert found["HttpsSubscription"]["DeliveryPolicy"] == {"healthyRetryPolicy": retries}


def test_the_topic_signs_with_sha_256_and_takes_from_ses_alone() -> None:
    stack = everything()
    assert stack.of("SNS::Topic")["MailTopic"]["SignatureVersion"] == "2"
    (statement,) = statements(stack.of("SNS::TopicPolicy")["MailTopicPolicy"]["PolicyDocument"])
    assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert all(f":ses:{REGION}:{ACCOUNT}:" in arn for arn in statement["Condition"]["ArnLike"]["aws:SourceArn"])


def test_the_default_is_a_queue_and_a_role() -> None:
    stack = Stack(template(["example.com"]))
    assert {one["Protocol"] for one in stack.of("SNS::Subscription").values()} == {"sqs"}
    assert not stack.of("Lambda::Function")
    assert not stack.of("IAM::User")
    assert set(stack.of("IAM::Role")) == {"GatewayRole"}
    assert set(stack.outputs) >= {"BucketName", "QueueUrl", "DeadLetterQueueUrl", "TopicArn", "RuleSetName"}


def test_without_anything_chosen_there_is_still_mail() -> None:
    stack = smallest()
    assert not stack.of("SNS::Subscription")
    assert not [kind for kind in ("IAM::User", "IAM::Role", "IAM::ManagedPolicy", "SES::ConfigurationSet") if stack.of(kind)]
    (rule,) = (one["Rule"] for one in stack.of("SES::ReceiptRule").values())
    assert rule["ScanEnabled"] is False
    assert rule["Actions"] == [
        {"S3Action": {"BucketName": "mailbucket", "ObjectKeyPrefix": "new/", "TopicArn": stack.arn("MailTopic")}}
    ]
    assert "MailFromAttributes" not in stack.of("SES::EmailIdentity")["IdentityOfexampleDotcom"]
    assert "feedback-smtp" not in stack.outputs["DnsOfexampleDotcom"]


@pytest.mark.parametrize(("scans", "tls"), [("yes", "no"), ("no", "yes")])
def test_every_rule_scans_and_asks_for_tls_as_it_is_chosen(scans: str, tls: str) -> None:
    rules = everything(ScanReceivedMail=scans, RequireTls=tls).of("SES::ReceiptRule")
    chosen = (scans == "yes", "Require" if tls == "yes" else "Optional")
    assert {(one["Rule"]["ScanEnabled"], one["Rule"]["TlsPolicy"]) for one in rules.values()} == {chosen}


@pytest.mark.parametrize("address", ["http://user:secret@mail.example.com/", "https://", "https://mail.example.com/a b"])
def test_the_address_with_the_password_is_for_https_alone_and_nobody_sees_it(address: str) -> None:
    given = parsed(source())["Parameters"]["SnsHttpsEndpointAddress"]
    assert given["NoEcho"] is True
    assert not re.fullmatch(given["AllowedPattern"], address)


def test_dead_letters_are_tried_no_sooner_than_after_an_hour() -> None:
    assert everything().of("SQS::Queue")["DeadLetterQueue"]["VisibilityTimeout"] == 3600


def test_rules_ask_then_mark_and_count_then_store() -> None:
    stack = everything()
    rules = stack.of("SES::ReceiptRule")
    assert {name: rule.get("After") for name, rule in rules.items()} == {
        "BounceRule": None,
        "MarkRule": "BounceRule",
        "StoreRule": "MarkRule",
    }
    actions = {name: [next(iter(action)) for action in rule["Rule"]["Actions"]] for name, rule in rules.items()}
    assert actions == {
        "BounceRule": ["LambdaAction", "BounceAction", "StopAction"],
        "MarkRule": ["AddHeaderAction", "LambdaAction", "StopAction"],
        "StoreRule": ["S3Action"],
    }
    bounce = rules["BounceRule"]["Rule"]["Actions"][1]["BounceAction"]
    assert (bounce["Sender"], bounce["SmtpReplyCode"], bounce["StatusCode"]) == ("postmaster@example.com", "550", "5.1.1")
    assert bounce["Message"] == "No such mailbox"
    mark = rules["MarkRule"]["Rule"]["Actions"][0]["AddHeaderAction"]
    assert mark["HeaderName"] == MARK
    variables = stack.of("Lambda::Function")["VerdictFunction"]["Environment"]["Variables"]
    assert quick_settings(variables).verdict.mark == mark["HeaderValue"] != ""
    stored = rules["StoreRule"]["Rule"]["Actions"][0]["S3Action"]
    assert stored["KmsKeyArn"] == stack.arn("MailKey")


def test_functions_come_from_the_bucket_that_is_named() -> None:
    functions = everything(FunctionCodeKey="v2.zip").of("Lambda::Function")
    chosen = {name: one["Code"] for name, one in functions.items() if name != "ActivationFunction"}
    assert set(chosen) >= {"SortFunction", "VerdictFunction"}
    assert all(code == {"S3Bucket": "code", "S3Key": "v2.zip"} for code in chosen.values())


def test_functions_are_called_by_the_topic_and_by_ses_alone() -> None:
    found = everything().of("Lambda::Permission")
    assert found["SortPermission"]["Principal"] == "sns.amazonaws.com"
    assert found["SortPermission"]["SourceArn"] == everything().arn("MailTopic")
    assert found["VerdictPermission"]["Principal"] == "ses.amazonaws.com"
    assert found["VerdictPermission"]["SourceAccount"] == ACCOUNT


def test_recipients_and_a_rule_set_can_be_given() -> None:
    stack = everything(RecipientConditions="tom@example.com,.example.com", ReceiptRuleSet="theirs")
    assert not stack.of("SES::ReceiptRuleSet")
    for rule in stack.of("SES::ReceiptRule").values():
        assert rule["RuleSetName"] == "theirs"
        assert rule["Rule"]["Recipients"] == ["tom@example.com", ".example.com"]
    (ses, _) = statements(stack.of("S3::BucketPolicy")["MailBucketPolicy"]["PolicyDocument"])
    assert ses["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":receipt-rule-set/theirs:receipt-rule/*")


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_every_arn_is_of_the_partition(partition: str) -> None:
    text = json.dumps([everything(partition=partition).resources, everything(partition=partition).outputs])
    assert f"arn:{partition}:" in text
    assert "arn:aws:" not in text


def test_dns_is_told_for_each_domain() -> None:
    told = everything().outputs["DnsOfmyDashshopDotexampleDotorg"].split("\n")
    assert told[0] == f"my-shop.example.org MX 10 inbound-smtp.{REGION}.amazonaws.com"
    assert [line.split()[1] for line in told] == ["MX", "CNAME", "CNAME", "CNAME", "MX", "TXT", "TXT"]
    of = "of-IdentityOfmyDashshopDotexampleDotorg"
    assert told[1:4] == [f"DkimDNSTokenName{n}-{of} CNAME DkimDNSTokenValue{n}-{of}" for n in (1, 2, 3)]
    assert told[4] == f"mail.my-shop.example.org MX 10 feedback-smtp.{REGION}.amazonses.com"
    assert told[5] == 'mail.my-shop.example.org TXT "v=spf1 include:amazonses.com ~all"'
    assert told[6] == '_dmarc.my-shop.example.org TXT "v=DMARC1; p=none; rua=mailto:postmaster@my-shop.example.org"'


_HERE = Account(REGION, ACCOUNT)
_BOXES = [Boxes("mailbucket", ["mailboxes/"])]


def test_the_function_may_do_what_iam_policy_prints_for_sort() -> None:
    sort, letters, aliases = everything().of("IAM::Role")["SortRole"]["Policies"]
    assert statements(sort["PolicyDocument"]) == policies.sort(_HERE, Arrivals("mailbucket", ["new/"]), _BOXES)
    assert allowed(statements(letters["PolicyDocument"])) == {("sqs:SendMessage", everything().arn("DeadLetterQueue"))}
    assert statements(aliases["PolicyDocument"]) == policies.look_up(_HERE, "Aliases")


def test_the_functions_that_are_asked_know_accounts_and_aliases_and_no_mail() -> None:
    roles = everything().of("IAM::Role")
    tables = {"VerdictRole": policies.look_up(_HERE, "Aliases"), "ApiRole": policies.aliases(_HERE, "Aliases")}
    for role, of_table in tables.items():
        accounts, aliases = roles[role]["Policies"]
        wanted = [*policies.listing(_HERE, "mailbucket"), *policies.read(_HERE, "mailbucket", ["mailboxes/*/passwd.txt"])]
        assert statements(accounts["PolicyDocument"]) == wanted
        assert allowed(statements(aliases["PolicyDocument"])) == allowed(of_table)


def test_the_handlers_are_there() -> None:
    assert EVERYTHING["VerdictHandler"] == f"{verdict.__name__}.{verdict.judge.__name__}"
    assert EVERYTHING["ApiHandler"] == f"{api.__name__}.{api.answer.__name__}"


def test_the_api_is_for_iam_or_for_tokens_and_for_nobody_without() -> None:
    stack = everything()
    assert stack.of("Lambda::Url")["ApiUrl"]["AuthType"] == "AWS_IAM"
    assert "*" not in [one["Principal"] for one in stack.of("Lambda::Permission").values()]
    assert "SESMAIL__PAGE__TOKEN_SECRET" not in stack.of("Lambda::Function")["ApiFunction"]["Environment"]["Variables"]
    with_tokens = everything(ApiTokenSecret="0123456789" * 4)
    assert with_tokens.of("Lambda::Url")["ApiUrl"]["AuthType"] == "NONE"
    variables = with_tokens.of("Lambda::Function")["ApiFunction"]["Environment"]["Variables"]
    config = quick_settings(variables)
    assert (config.page.token_secret, config.aliases.table) == ("0123456789" * 4, "dynamodb")
    assert {"ApiUrlPermission", "ApiPermission"} <= set(with_tokens.of("Lambda::Permission"))
    for less in (everything(AliasTable="no"), everything(ApiHandler=""), everything(FunctionCodeBucket="")):
        assert not less.of("Lambda::Url")


def test_the_gateway_may_do_what_iam_policy_prints_and_no_more() -> None:
    stack = everything()
    printed = [
        *policies.pop3(_HERE, _BOXES),
        *policies.sort(_HERE, Arrivals("mailbucket", ["new/"]), _BOXES),
        *policies.queues(_HERE, [f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}" for name in stack.of("SQS::Queue")]),
        *policies.send(_HERE, DOMAINS, configuration_set="Sending"),
        *(one for domain in DOMAINS for one in policies.bounce(_HERE, domain)),
        *policies.quota(),
        *policies.suppress(),
        *policies.unseal([stack.arn("MailKey")]),
        *policies.aliases(_HERE, "Aliases"),
    ]
    given = allowed(statements(stack.of("IAM::ManagedPolicy")["GatewayPolicy"]["PolicyDocument"]))
    assert beyond(allowed(printed), given) == set()
    # A bounce is from no configuration set; the statement is shared.
    assert beyond(given, allowed(printed)) == {("ses:SendBounce", _HERE.arn("ses", "configuration-set/Sending"))}


def test_nothing_is_sent_but_as_the_domains_and_no_key_is_made() -> None:
    stack = everything()
    own = {_HERE.arn("ses", f"identity/{domain}") for domain in DOMAINS} | {_HERE.arn("ses", "configuration-set/Sending")}
    policies = [
        *(policy["PolicyDocument"] for user in stack.of("IAM::User").values() for policy in user.get("Policies", ())),
        *(one["PolicyDocument"] for one in stack.of("IAM::ManagedPolicy").values()),
    ]
    sent = {resource for one in policies for action, resource in allowed(statements(one)) if action.startswith("ses:Send")}
    assert sent == own
    assert not stack.of("IAM::AccessKey")


def test_the_user_of_a_domain_reads_and_sends_its_mail_alone() -> None:
    stack = everything()
    (policy,) = stack.of("IAM::User")[f"UserOf{logical_id('my-shop.example.org')}"]["Policies"]
    boxes = [Boxes("mailbucket", ["mailboxes/my-shop.example.org/"])]
    printed = [
        *policies.pop3(_HERE, boxes, alone=True),
        *policies.send(_HERE, ["my-shop.example.org"], configuration_set="Sending"),
        *policies.quota(),
    ]
    found = statements(policy["PolicyDocument"])
    assert allowed(found) == allowed(printed)
    assert several(found[0]["Condition"]["StringLike"]["s3:prefix"]) == printed[0]["Condition"]["StringLike"]["s3:prefix"]
