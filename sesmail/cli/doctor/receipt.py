"""What SES does with mail that comes in: the receipt rules of the set that is active."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from sesmail.aws.probes import Right, decrypt, is_denied
from sesmail.cli.doctor.aws import Aws, trouble
from sesmail.cli.doctor.finding import Finding, good, note, wrong
from sesmail.cli.doctor.ses import region_of
from sesmail.config.receivingchecks import is_told
from sesmail.config.table import Config

_ABOUT = "receipt rules"

Rule = Mapping[str, Any]


def rules(config: Config, domains: Sequence[str], aws: Aws) -> Iterator[Finding]:
    """One set is active, stores mail where it is looked for, tells of it, and is for all domains."""
    region = region_of(config)
    try:
        answer = aws.ses("ses").describe_active_receipt_rule_set()
    except ClientError as error:
        if is_denied(error):
            right = {"Effect": "Allow", "Action": "ses:DescribeActiveReceiptRuleSet", "Resource": "*"}
            yield note(_ABOUT, "they may not be seen", json.dumps(right))
        else:
            yield trouble(_ABOUT, error)
        return
    name = (answer.get("Metadata") or {}).get("Name")
    if not name:
        mend = f"aws ses set-active-receipt-rule-set --region {region} --rule-set-name NAME, one of `aws ses list-receipt-rule-sets`"
        yield wrong(_ABOUT, f"no set is active in {region}: SES takes no mail", mend)
        return
    yield good("receipt rule set", f"{name} is active")
    yield from _stored(config, str(name), answer.get("Rules") or [], domains, aws)


def _stored(config: Config, name: str, found: Sequence[Rule], domains: Sequence[str], aws: Aws) -> Iterator[Finding]:
    bucket = urlsplit(config.incoming.url or "").netloc
    storing = [(rule, action) for rule in found for action in _actions(rule) if action.get("BucketName") == bucket]
    working = [(rule, action) for rule, action in storing if rule.get("Enabled")]
    if not working:
        yield _none(config, name, bucket, storing, domains)
        return
    for rule, action in working:
        yield from _action(config, str(rule.get("Name")), action, aws)
    for domain in domains:
        yield _taken(config, name, domain, [rule for rule, _ in working])


def _actions(rule: Rule) -> list[Mapping[str, Any]]:
    return [one["S3Action"] for one in rule.get("Actions") or () if "S3Action" in one]


def _none(config: Config, name: str, bucket: str, storing: Sequence[tuple[Rule, Any]], domains: Sequence[str]) -> Finding:
    region = region_of(config)
    if storing:
        rule = {**storing[0][0], "Enabled": True}
        mend = f"aws ses update-receipt-rule --region {region} --rule-set-name {name} --rule '{json.dumps(rule)}'"
        return wrong(_ABOUT, f"{rule.get('Name')}, which stores mail in {bucket}, is turned off", mend)
    wanted = " ".join(f"--domain {domain}" for domain in domains or ["YOUR.DOMAIN"])
    mend = (
        f"sesmail cfn {wanted} > mail.yaml && aws cloudformation deploy --region {region} --stack-name mail --template-file mail.yaml"
        f" --capabilities CAPABILITY_IAM --parameter-overrides ReceiptRuleSet={name}"
    )
    return wrong(_ABOUT, f"none of {name} stores mail in {bucket}", mend)


def _action(config: Config, rule: str, action: Mapping[str, Any], aws: Aws) -> Iterator[Finding]:
    about, prefix = f"receipt rule {rule}", str(action.get("ObjectKeyPrefix") or "")
    known = [config.incoming.prefix, *(one.prefix for one in config.incoming.mailboxes)]
    if not prefix.startswith(tuple(known)):
        yield wrong(
            about,
            f"stores mail below {prefix!r}, and it is looked for below {config.incoming.prefix!r}",
            f"incoming.prefix: {prefix!r}",
        )
    else:
        yield good(about, f"stores mail below {prefix!r}")
    yield from _told(config, about, str(action.get("TopicArn") or ""))
    key = str(action.get("KmsKeyArn") or "")
    if ":key/" in key:
        yield _opened(about, key, aws)


def _told(config: Config, about: str, topic: str) -> Iterator[Finding]:
    if not topic and is_told(config) and config.incoming.notices:
        mend = "give its S3 action a topic (TopicArn) by `aws ses update-receipt-rule`, or set incoming.notices: false and have S3 tell the queue"
        yield wrong(about, "tells nobody of mail: who it is for can only be guessed", mend)
    elif topic and config.sns.listeners and topic not in config.sns.topics:
        yield wrong(about, f"tells {topic} of mail, which is not listened to", f"sns.topics: [{topic}]")


def _opened(about: str, key: str, aws: Aws) -> Finding:
    known = decrypt(key).ask(aws.kms(key.split(":")[3]))
    if known.right is Right.DENIED:
        right = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}
        return wrong(about, f"seals mail with {key}, which may not be opened: {known.said}", json.dumps(right))
    return note(
        about,
        f"seals mail with {key}; kms:Decrypt is not denied, and shows with such a message",
    )


def _taken(config: Config, name: str, domain: str, working: Sequence[Rule]) -> Finding:
    about = f"mail for {domain}"
    recipients = [[str(one).lower() for one in rule.get("Recipients") or ()] for rule in working]
    if any(not some or any(_covers(one, domain) for one in some) for some in recipients):
        return good(about, "is taken by SES")
    rule = {**working[0], "Recipients": [*(working[0].get("Recipients") or ()), domain]}
    mend = f"aws ses update-receipt-rule --region {region_of(config)} --rule-set-name {name} --rule '{json.dumps(rule)}'"
    if any(one.endswith(f"@{domain}") for some in recipients for one in some):
        return note(about, "is taken by SES for some addresses alone", mend)
    return wrong(about, "is not taken by SES: no rule that stores mail is for it", mend)


def _covers(recipient: str, domain: str) -> bool:
    return recipient == domain or (recipient.startswith(".") and domain.endswith(recipient))
