"""What `sesmail iam-policy` can print, beside what AWS was asked for while tests ran."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sesmail.aws import policies
from sesmail.aws.policies import Account, Arrivals, Boxes

# What the right for an operation is called, where it is not called as the operation.
RIGHTS = {
    # What is done in it has rights of its own, of which this is one.
    "dynamodb:TransactWriteItems": "dynamodb:PutItem",
    "s3:CopyObject": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    # How botocore finds out where a bucket is when it was sent elsewhere.
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
# What the policy of a role is not about: who may take that role, and who one is, which everybody may ask.
BESIDE = {"sts:AssumeRole", "sts:GetCallerIdentity"}


def printed() -> set[str]:
    """All the actions, whatever for."""
    account, boxes = Account(), [Boxes("mail", [""])]
    statements = [
        *policies.pop3(account, boxes, locks=True),
        *policies.sort(account, Arrivals("mail", ["new/"]), boxes),
        *policies.queues(account, ["https://sqs.eu-west-1.amazonaws.com/123456789012/mail"]),
        *policies.confirm(["arn:aws:sns:eu-west-1:123456789012:mail"]),
        *policies.send(account, ["example.com"]),
        *policies.quota(),
        *policies.bounce(account, "example.com"),
        *policies.suppress(),
        *policies.deliver(account, boxes),
        *policies.seal(["key"]),
        *policies.unseal(["key"]),
        *policies.aliases(account, "mail"),
        *policies.look(account, ["https://sqs.eu-west-1.amazonaws.com/123456789012/mail"], ["example.com"], "outgoing"),
    ]
    lists = (one["Action"] for one in statements)
    return {action for one in lists for action in ([one] if isinstance(one, str) else one)}


def missing(called: Mapping[str, str]) -> dict[str, str]:
    """Of these operations, and where each is called, those that no policy allows."""
    allowed = printed() | BESIDE
    return {operation: where for operation, where in called.items() if RIGHTS.get(operation, operation) not in allowed}


def noted(folder: Path) -> dict[str, str]:
    """The operations that the tests' recorder has noted, and a module that called each."""
    lines = [line for file in folder.iterdir() for line in file.read_text().splitlines()]
    return dict(line.split(" ", 1) for line in lines)
