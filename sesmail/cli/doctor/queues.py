"""Queues: whether they are there, how much waits, and where failures go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from botocore.exceptions import ClientError

from sesmail.aws.policies import Account
from sesmail.aws.probes import code_of, is_denied
from sesmail.cli.doctor.aws import Aws, trouble
from sesmail.cli.doctor.finding import Finding, good, note, wrong
from sesmail.config.table import Config

_MANY = 1000
_ABSENT = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NonExistentQueue"})


def notices(config: Config, url: str, aws: Aws) -> Iterator[Finding]:
    """The queue that tells of mail."""
    about = f"queue {url}"
    found = _attributes(config, "queue.url", url, aws)
    if isinstance(found, Finding):
        yield found
        return
    count = _count(found)
    said = f"{count} notices wait, {found.get('ApproximateNumberOfMessagesNotVisible', '?')} are worked on"
    yield note(about, said, "see that the gateway runs: systemctl status sesmail") if count >= _MANY else good(about, said)
    yield from _redrive(config, about, url, found)
    if not any(service in found.get("Policy", "") for service in ("sns.amazonaws.com", "s3.amazonaws.com", '"*"')):
        yield wrong(f"policy of {about}", "neither SNS nor S3 may put notices into it", _may_send(config, url))


def dead_letters(config: Config, url: str, aws: Aws) -> Iterator[Finding]:
    """The queue of notices that failed too often."""
    about = f"dead letters {url}"
    found = _attributes(config, "queue.dead_letter_url", url, aws)
    if isinstance(found, Finding):
        yield found
    elif _count(found):
        yield wrong(about, f"{_count(found)} notices failed too often", "sesmail sort --dlq")
    else:
        yield good(about, "none")


def _attributes(config: Config, option: str, url: str, aws: Aws) -> Mapping[str, str] | Finding:
    about = f"{'queue' if option == 'queue.url' else 'dead letters'} {url}"
    try:
        answer: Mapping[str, str] = aws.sqs(url).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    except ClientError as error:
        if code_of(error) in _ABSENT:
            name = url.rpartition("/")[2]
            return wrong(
                about, "there is none", f"{option}: what `aws sqs get-queue-url --queue-name {name}` prints in its region"
            )
        if is_denied(error):
            right = {"Effect": "Allow", "Action": "sqs:GetQueueAttributes", "Resource": _arn(config, url)}
            return note(about, "how much waits may not be seen", json.dumps(right))
        return trouble(about, error)
    return answer


def _redrive(config: Config, about: str, url: str, found: Mapping[str, str]) -> Iterator[Finding]:
    dead = config.queue.dead_letter_url
    try:
        target = str(json.loads(found.get("RedrivePolicy") or "{}").get("deadLetterTargetArn") or "")
    except ValueError:
        target = ""
    if not target:
        policy = {"deadLetterTargetArn": _arn(config, dead) if dead else "ARN OF A QUEUE", "maxReceiveCount": 10}
        given = json.dumps({"RedrivePolicy": json.dumps(policy)})
        mend = f"aws sqs set-queue-attributes --queue-url {url} --attributes '{given}'"
        yield wrong(f"redrive of {about}", "notices that fail are tried for ever, and lost in the end", mend)
    elif dead is None:
        name = target.rpartition(":")[2]
        mend = f"queue.dead_letter_url: what `aws sqs get-queue-url --queue-name {name}` prints"
        yield note(f"redrive of {about}", f"failures go to {target}, at which nobody looks", mend)
    elif target.rpartition(":")[2] != dead.rpartition("/")[2]:
        mend = f"queue.dead_letter_url: what `aws sqs get-queue-url --queue-name {target.rpartition(':')[2]}` prints"
        yield wrong(f"redrive of {about}", f"failures go to {target}, and another queue is looked at", mend)


def _may_send(config: Config, url: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    return json.dumps({**statement, "Resource": _arn(config, url)})


def _arn(config: Config, url: str) -> str:
    return Account(config.queue.region or config.storage.region or "*").queue(url)


def _count(found: Mapping[str, str]) -> int:
    return int(found.get("ApproximateNumberOfMessages") or 0)
