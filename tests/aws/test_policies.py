"""The statements of policies, and that no operation which the code calls was forgotten in them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from sesmail.aws import policies
from sesmail.aws.policies import Account, Boxes
from tests.aws.rights import RIGHTS, missing, printed

_ROOT = Path(__file__).parents[2]
_SERVICES = ("dynamodb", "kms", "lambda", "s3", "ses", "sesv2", "sns", "sqs", "sts")
# Code without AWS in it, and methods of its own that are called like operations of AWS.
_ELSEWHERE = ("protocols", "web", "service", "auth", "mail", "config")


def operations() -> dict[str, set[str]]:
    """By the name of the method or of the operation: the operations of AWS that are called so."""
    found: dict[str, set[str]] = {}
    session = botocore.session.Session()
    for service in _SERVICES:
        for name in session.get_service_model(service).operation_names:
            right = f"{'ses' if service == 'sesv2' else service}:{name}"
            for called in (xform_name(name), name):
                if "_" in called or called == name:
                    found.setdefault(called, set()).add(right)
    return found


def words(tree: ast.AST) -> Iterator[str]:
    """Methods that are called, and texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def called() -> dict[str, str]:
    """The rights for every operation that is named in the code, and where."""
    known, found = operations(), {}
    for file in sorted((_ROOT / "sesmail").rglob("*.py")):
        room = file.relative_to(_ROOT / "sesmail").parts[0]
        if room in _ELSEWHERE:
            continue
        for word in words(ast.parse(file.read_bytes())):
            for operation in known.get(word, ()):
                found[RIGHTS.get(operation, operation)] = f"{file.name}: {word}"
    return found


def test_every_operation_that_is_called_is_in_a_policy() -> None:
    found = called()
    assert {"s3:PutObject", "s3:ListBucket", "sqs:ReceiveMessage", "ses:SendEmail", "ses:SendBounce", "kms:Decrypt"} <= set(
        found
    )
    assert missing(found) == {}


def test_an_operation_that_is_called_nowhere_is_in_no_policy() -> None:
    # The first is what AWS asks for where raw mail is sent; the names of the others are ordinary words.
    beside = {"ses:SendRawEmail", "dynamodb:Query", "dynamodb:Scan"}
    assert printed() - set(called()) <= beside


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("*", "aws"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-east-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_arns_are_of_the_partition_of_the_region(region: str, partition: str) -> None:
    account = Account(region, "123456789012")
    assert account.objects("mail", "new/*") == f"arn:{partition}:s3:::mail/new/*"
    assert account.arn("ses", "identity/example.com") == f"arn:{partition}:ses:{region}:123456789012:identity/example.com"


@pytest.mark.parametrize(
    ("url", "arn"),
    [
        ("https://sqs.us-gov-west-1.amazonaws.com/210987654321/mail", "arn:aws-us-gov:sqs:us-gov-west-1:210987654321:mail"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/210987654321/mail", "arn:aws-cn:sqs:cn-north-1:210987654321:mail"),
        ("http://127.0.0.1:4100/210987654321/mail/", "arn:aws:sqs:eu-west-1:210987654321:mail"),
        ("https://queues.example.com/mail", "arn:aws:sqs:eu-west-1:123456789012:mail"),
    ],
)
def test_the_arn_of_a_queue_is_read_from_its_url(url: str, arn: str) -> None:
    assert Account("eu-west-1", "123456789012").queue(url) == arn


def test_nothing_is_allowed_where_there_is_nothing() -> None:
    account = Account()
    assert policies.queues(account, []) == policies.confirm([]) == policies.seal([]) == policies.unseal([]) == []
    assert policies.send(account, []) == []


def test_a_statement_stands_in_a_document_once() -> None:
    account, boxes = Account(), [Boxes("mail", ["mailboxes/"])]
    twice = policies.document([*policies.pop3(account, boxes), *policies.pop3(account, boxes)])
    assert len(twice["Statement"]) == 2
    assert json.loads(json.dumps(twice)) == twice


def test_several_buckets_each_have_their_own() -> None:
    boxes = [Boxes("mail", ["mailboxes/"]), Boxes("more", ["tom/", "ann/"])]
    listed, more, rest = policies.pop3(Account(), boxes, alone=True)
    assert (listed["Resource"], more["Resource"]) == ("arn:aws:s3:::mail", "arn:aws:s3:::more")
    assert more["Condition"] == {"StringLike": {"s3:prefix": ["tom/*", "ann/*"]}}
    assert rest["Resource"] == ["arn:aws:s3:::mail/mailboxes/*", "arn:aws:s3:::more/tom/*", "arn:aws:s3:::more/ann/*"]
