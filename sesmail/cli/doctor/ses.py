"""SES: what the account may send, and which domains it sends for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from sesmail.aws.policies import Account
from sesmail.aws.probes import code_of, is_denied, words_of
from sesmail.cli.doctor.aws import Aws, trouble
from sesmail.cli.doctor.finding import Finding, good, note, wrong
from sesmail.config.table import Config

_ABSENT = frozenset({"NotFoundException", "NotFound"})
_NEARLY = 0.8


def region_of(config: Config) -> str:
    """That of SES, as commands name it."""
    return config.ses.region or config.storage.region or "REGION"


def account(config: Config, domains: Sequence[str], aws: Aws) -> Iterator[Finding]:
    """Out of the sandbox, not paused, in good standing, and how much of its quota is left."""
    try:
        said = aws.ses().get_account()
    except ClientError as error:
        yield _unseen("SES account", error, config, "ses:GetAccount", "*")
        return
    region = region_of(config)
    if said.get("ProductionAccessEnabled"):
        yield good("SES sandbox", "production access is granted")
    else:
        site = domains[0] if domains else "YOUR.DOMAIN"
        mend = (
            f"aws sesv2 put-account-details --production-access-enabled --mail-type TRANSACTIONAL --website-url https://{site}"
            f" --contact-language EN --region {region}"
        )
        yield wrong("SES sandbox", "mail goes to verified addresses alone, 200 a day", mend)
    if said.get("SendingEnabled"):
        yield good("SES sending", "enabled")
    else:
        yield wrong("SES sending", "paused", f"aws sesv2 put-account-sending-attributes --sending-enabled --region {region}")
    yield _standing(str(said.get("EnforcementStatus") or "HEALTHY"))
    yield _quota(said.get("SendQuota") or {}, region)


def _standing(status: str) -> Finding:
    if status == "HEALTHY":
        return good("SES reputation", "healthy")
    mend = "aws support create-case, about the bounces and complaints that https://console.aws.amazon.com/ses shows under Reputation metrics"
    return wrong("SES reputation", status.lower(), mend)


def _quota(quota: Mapping[str, Any], region: str) -> Finding:
    most, sent = float(quota.get("Max24HourSend") or 0), float(quota.get("SentLast24Hours") or 0)
    rate = f"{float(quota.get('MaxSendRate') or 0):g} a second"
    if most < 0:
        return good("SES quota", f"{sent:.0f} sent in 24 hours, no limit; {rate}")
    said = f"{sent:.0f} of {most:.0f} in 24 hours; {rate}"
    if sent < _NEARLY * most:
        return good("SES quota", said)
    # The number of that quota: https://docs.aws.amazon.com/general/latest/gr/ses.html
    mend = f"aws service-quotas request-service-quota-increase --service-code ses --quota-code L-804C8AE8 --desired-value {2 * most:.0f} --region {region}"
    return wrong("SES quota", said, mend)


def identity(config: Config, domain: str, aws: Aws) -> Iterator[Finding]:
    """A domain: verified, signed for, and with a MAIL FROM domain that SES finds in DNS."""
    about, region = f"SES identity {domain}", region_of(config)
    try:
        said = aws.ses().get_email_identity(EmailIdentity=domain)
    except ClientError as error:
        if code_of(error) in _ABSENT:
            mend = f"aws sesv2 create-email-identity --email-identity {domain} --region {region}, then sesmail dns --domain {domain}"
            yield wrong(about, f"SES does not know it in {region}", mend)
            return
        arn = Account(region).arn("ses", f"identity/{domain}")
        yield _unseen(about, error, config, "ses:GetEmailIdentity", arn)
        return
    mend = f"sesmail dns --domain {domain} --check"
    if not said.get("VerifiedForSendingStatus"):
        yield wrong(about, "not verified: SES sends nothing from it", mend)
    dkim = (said.get("DkimAttributes") or {}).get("Status", "NOT_STARTED")
    if dkim != "SUCCESS":
        yield wrong(about, f"DKIM is {dkim}: mail is not signed for it", mend)
    mail_from = said.get("MailFromAttributes") or {}
    if mail_from.get("MailFromDomain") and mail_from.get("MailFromDomainStatus") != "SUCCESS":
        yield wrong(about, f"MAIL FROM domain {mail_from['MailFromDomain']} is {mail_from.get('MailFromDomainStatus')}", mend)
    elif said.get("VerifiedForSendingStatus") and dkim == "SUCCESS":
        yield good(about, "verified, signed with DKIM")


def configuration_set(config: Config, name: str, aws: Aws) -> Iterator[Finding]:
    """There, and sending."""
    about, region = f"SES configuration set {name}", region_of(config)
    try:
        said = aws.ses().get_configuration_set(ConfigurationSetName=name)
    except ClientError as error:
        if code_of(error) in _ABSENT:
            mend = f"aws sesv2 create-configuration-set --configuration-set-name {name} --region {region}"
            yield wrong(about, "there is none: SES takes no mail", mend)
            return
        arn = Account(region).arn("ses", f"configuration-set/{name}")
        yield _unseen(about, error, config, "ses:GetConfigurationSet", arn)
        return
    if (said.get("SendingOptions") or {}).get("SendingEnabled") is False:
        mend = f"aws sesv2 put-configuration-set-sending-options --configuration-set-name {name} --sending-enabled --region {region}"
        yield wrong(about, "sending is paused", mend)
    else:
        yield good(about, "there")


def _unseen(about: str, error: ClientError, config: Config, action: str, resource: str) -> Finding:
    """What sesmail can do without seeing is no fault."""
    if not is_denied(error):
        return trouble(about, error)
    return note(about, words_of(error), json.dumps({"Effect": "Allow", "Action": action, "Resource": resource}))
