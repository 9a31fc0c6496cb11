"""What each part of the system may do in AWS, and no more: statements of IAM policies, as their JSON has them.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and its neighbours for the other services.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Statement = dict[str, Any]

# For whom AWS has a partition of its own, by how the names of its regions begin.
_PARTITIONS = {
    "cn": "aws-cn",
    "us-gov": "aws-us-gov",
    "us-iso": "aws-iso",
    "us-isob": "aws-iso-b",
    "eu-isoe": "aws-iso-e",
    "us-isof": "aws-iso-f",
    "eusc-de": "aws-eusc",
}


@dataclass(frozen=True)
class Account:
    """Where the resources are, as ARNs spell it; ``*`` stands for any."""

    region: str = "*"
    number: str = "*"

    @property
    def partition(self) -> str:
        """By the region: China and some governments have an AWS for themselves."""
        return _PARTITIONS.get(self.region.rsplit("-", 2)[0], "aws")

    def arn(self, service: str, resource: str) -> str:
        """Of something that a region has."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.number}:{resource}"

    def objects(self, bucket: str, pattern: str = "") -> str:
        """Of a bucket, or of what lies in it."""
        return f"arn:{self.partition}:s3:::{bucket}{f'/{pattern}' if pattern else ''}"

    def queue(self, url: str) -> str:
        """Of the queue with this URL, which names its account, and if it is AWS's own also the region."""
        parts = urlsplit(url)
        *_, number, name = f"{self.number}/{parts.path.strip('/')}".split("/")
        labels = (parts.hostname or "").split(".")
        region = labels[1] if labels[0] == "sqs" and len(labels) > 2 else self.region
        return Account(region, number).arn("sqs", name)


@dataclass(frozen=True)
class Boxes:
    """Where mailboxes are: a bucket, and the beginnings of their keys, which may contain ``*``."""

    bucket: str
    prefixes: Sequence[str]


@dataclass(frozen=True)
class Arrivals:
    """Where mail comes in, see delivery.inbox: a bucket, and the prefixes of what is new there and of what sesmail keeps beside it."""

    bucket: str
    prefixes: Sequence[str]
    kept: Sequence[str] = ("held/", "swept/", ".sesmail/")


def pop3(account: Account, boxes: Sequence[Boxes], *, alone: bool = False, locks: bool = False) -> list[Statement]:
    """To read mailboxes and to delete from them; with `locks` to lock them in the bucket.

    With `alone` other mailboxes of the bucket cannot be listed. Then S3 says of an object that is not there, in answer to a request for
    that object, that it may not be read: the condition is about listings.
    """
    found = [_list(account, one, alone) for one in boxes]
    found.append(_on(["s3:GetObject", "s3:DeleteObject"], _objects(account, boxes)))
    if locks:
        places = [account.objects(one.bucket, f"{prefix}*.sesmail/*") for one in boxes for prefix in one.prefixes]
        found.append(_on(["s3:PutObject"], places))
    return found


def read(account: Account, bucket: str, keys: Sequence[str]) -> list[Statement]:
    """To read these objects, whose keys may contain ``*``."""
    return [_on(["s3:GetObject"], [account.objects(bucket, key) for key in keys])] if keys else []


def listing(account: Account, bucket: str) -> list[Statement]:
    """To list a bucket, and to be told of an object that it is not there."""
    return [_on(["s3:ListBucket"], [account.objects(bucket)])]


def _list(account: Account, boxes: Boxes, alone: bool) -> Statement:
    (statement,) = listing(account, boxes.bucket)
    if alone:
        statement["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in boxes.prefixes]}}
    return statement


def _objects(account: Account, boxes: Iterable[Boxes]) -> list[str]:
    return [account.objects(one.bucket, f"{prefix}*") for one in boxes for prefix in one.prefixes]


def sort(account: Account, arrivals: Arrivals, boxes: Sequence[Boxes]) -> list[Statement]:
    """To put mail that came in into mailboxes, and to delete the originals; nothing is deleted from a mailbox.

    Without ListBucket S3 does not say of an object that it is not there, and mail would wait for ever.
    """
    buckets = dict.fromkeys([arrivals.bucket, *(one.bucket for one in boxes)])
    kept = [account.objects(arrivals.bucket, f"{prefix}*") for prefix in arrivals.kept]
    new = [account.objects(arrivals.bucket, f"{prefix}*") for prefix in arrivals.prefixes]
    return [
        _on(["s3:ListBucket"], [account.objects(bucket) for bucket in buckets]),
        _on(["s3:GetObject"], [account.objects(bucket, "*") for bucket in buckets]),
        _on(["s3:PutObject"], [*_objects(account, boxes), *kept]),
        _on(["s3:DeleteObject"], [*new, *kept]),
    ]


def queues(account: Account, urls: Sequence[str]) -> list[Statement]:
    """To take notices from queues."""
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    return [_on(actions, [account.queue(url) for url in urls])] if urls else []


def look(
    account: Account, urls: Sequence[str], domains: Sequence[str], configuration_set: str | None = None
) -> list[Statement]:
    """To look whether all is as it has to be: what SES does with mail of these domains, and how much waits in these queues."""
    identities = [account.arn("ses", f"identity/{domain}") for domain in domains]
    sets = [account.arn("ses", f"configuration-set/{configuration_set}")] if configuration_set else []
    found = [_on(["ses:DescribeActiveReceiptRuleSet", "ses:GetAccount"], ["*"])]
    found += [_on(["ses:GetEmailIdentity"], identities)] if identities else []
    found += [_on(["ses:GetConfigurationSet"], sets)] if sets else []
    return [*found, *([_on(["sqs:GetQueueAttributes"], [account.queue(url) for url in urls])] if urls else [])]


def confirm(topics: Sequence[str]) -> list[Statement]:
    """To confirm subscriptions of these topics, given by their ARNs."""
    return [_on(["sns:ConfirmSubscription"], list(topics))] if topics else []


def send(
    account: Account, domains: Sequence[str], *, configuration_set: str | None = None, identity: str | None = None
) -> list[Statement]:
    """To send as these domains, `identity` being one of another account by its ARN.

    There is no condition on ``ses:FromAddress``: it compares the header's From, in which people write their domain in any case they like,
    and the identity says the same already.
    """
    return _send(account, ["ses:SendEmail", "ses:SendRawEmail"], domains, configuration_set, identity)


def quota() -> list[Statement]:
    """To ask how fast mail may be sent, which is nobody's resource."""
    return [_on(["ses:GetAccount"], ["*"])]


def bounce(account: Account, domain: str) -> list[Statement]:
    """To bounce mail that came in, in the name of this domain."""
    return _send(account, ["ses:SendBounce"], [domain], None, None)


def suppress() -> list[Statement]:
    """To put addresses onto the account's suppression list, which is no resource."""
    return [_on(["ses:PutSuppressedDestination"], ["*"])]


def _send(
    account: Account, actions: Sequence[str], domains: Sequence[str], configuration_set: str | None, identity: str | None
) -> list[Statement]:
    resources = [account.arn("ses", f"identity/{domain}") for domain in domains]
    resources += [identity] if identity else []
    resources += [account.arn("ses", f"configuration-set/{configuration_set}")] if configuration_set else []
    return [_on(actions, resources)] if domains or identity else []


def deliver(account: Account, boxes: Sequence[Boxes]) -> list[Statement]:
    """To put mail there: nothing can be read with it."""
    return [_on(["s3:PutObject"], _objects(account, boxes))]


def unseal(keys: Sequence[str]) -> list[Statement]:
    """To open what was sealed with these keys of KMS, given by their ARNs."""
    return [_on(["kms:Decrypt"], list(keys))] if keys else []


def seal(keys: Sequence[str]) -> list[Statement]:
    """To seal with them."""
    return [_on(["kms:GenerateDataKey"], list(keys))] if keys else []


def aliases(account: Account, table: str) -> list[Statement]:
    """To read and change the aliases in this table of DynamoDB."""
    actions = [f"dynamodb:{name}" for name in ("GetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem")]
    return [_on(actions, [account.arn("dynamodb", f"table/{table}"), account.arn("dynamodb", f"table/{table}/index/*")])]


def look_up(account: Account, table: str) -> list[Statement]:
    """To look up where mail for an alias goes, and to count that."""
    return [_on(["dynamodb:GetItem", "dynamodb:UpdateItem"], [account.arn("dynamodb", f"table/{table}")])]


def _on(actions: Sequence[str], resources: Sequence[str]) -> Statement:
    return {"Effect": "Allow", "Action": _one(actions), "Resource": _one(list(dict.fromkeys(resources)))}


def _one(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def document(statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The policy of these statements, each of them once."""
    different: list[Mapping[str, Any]] = []
    different += (one for one in statements if one not in different)
    return {"Version": "2012-10-17", "Statement": different}
