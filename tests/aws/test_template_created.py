"""What moto knows of the template is made by it: bucket, topic, queues, table, key, functions, roles. It knows no SES there."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from secrets import token_hex
from typing import Any

import boto3
import pytest

from sesmail.aws.template import source, template
from sesmail.functions.settings import settings
from tests.aws.cloudformation import parsed
from tests.servers import moto

_REGION = "eu-west-1"
_DOMAINS = ["example.com", "my-shop.example.org"]


def client(service: str) -> Any:
    keys = {"aws_access_key_id": "AKIAROOT", "aws_secret_access_key": "root"}
    return boto3.client(service, endpoint_url=moto.running(), region_name=_REGION, **keys)


def code() -> str:
    """A bucket with a zip for functions."""
    s3, name = client("s3"), f"code-{token_hex(6)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": _REGION})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("verdict.py", "def judge(event, context): ...\n")
    s3.put_object(Bucket=name, Key="sesmail-lambda.zip", Body=packed.getvalue())
    return name


@dataclass(frozen=True)
class Made:
    """A stack: the outputs, and what each resource is called."""

    outputs: Mapping[str, str]
    names: Mapping[str, str]


@cache
def made() -> Made:
    """With all that can be chosen and moto knows."""
    return created(
        template(_DOMAINS),
        FunctionCodeBucket=code(),
        AliasTable="yes",
        SealMail="yes",
        Gateway="both",
        UserForEachDomain="yes",
        ReceiptRuleSet="theirs",
        Feedback="no",
        VerdictHandler="verdict.judge",
    )


def created(text: str, **parameters: str) -> Made:
    formation, name = client("cloudformation"), f"mail-{token_hex(4)}"
    formation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(known(parsed(text))),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
    resources = formation.describe_stack_resources(StackName=name)["StackResources"]
    return Made(
        {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]},
        # Of some moto knows no name.
        {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in resources if "LogicalResourceId" in one},
    )


def known(whole: dict[str, Any]) -> dict[str, Any]:
    """Without SES, which moto leaves out, and what asks for it."""
    whole["Resources"] = {name: one for name, one in whole["Resources"].items() if not one["Type"].startswith("AWS::SES::")}
    whole["Outputs"] = {name: one for name, one in whole["Outputs"].items() if not name.startswith("DnsOf")}
    return whole


def test_all_of_it_is_made() -> None:
    assert set(made().names) >= {"MailBucket", "MailKey", "Aliases", "MailTopic", "NoticeQueue", "DeadLetterQueue"}
    assert set(made().names) >= {"SortFunction", "VerdictFunction", "GatewayRole", "GatewayUser", "GatewayPolicy"}
    assert {f"UserOf{id}" for id in ("exampleDotcom", "myDashshopDotexampleDotorg")} <= set(made().names)


def test_the_template_as_it_is_kept_is_made_as_well() -> None:
    # moto leaves a hole in a list where CloudFormation leaves out what a condition takes away.
    whole = {"SealMail": "yes", "AliasTable": "yes", "Feedback": "no"}
    stack = created(source(), Domain="example.com", ReceiptRuleSet="theirs", **whole)
    assert set(stack.outputs) == {
        "BucketName",
        "QueueUrl",
        "DeadLetterQueueUrl",
        "TopicArn",
        "RuleSetName",
        "TableName",
        "GatewayProfileName",
    }
    assert stack.outputs["RuleSetName"] == "theirs"


def test_the_queue_gives_up_to_the_queue_of_dead_letters() -> None:
    sqs = client("sqs")
    urls = {name: made().outputs[f"{name}Url"] for name in ("Queue", "DeadLetterQueue")}
    found = {name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for name, url in urls.items()}
    redrive = json.loads(found["Queue"]["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == found["DeadLetterQueue"]["QueueArn"]
    assert {one["MessageRetentionPeriod"] for one in found.values()} == {"1209600"}


def test_the_gateway_has_its_policy_as_a_role_and_as_a_user() -> None:
    iam = client("iam")
    roles = iam.list_attached_role_policies(RoleName=made().names["GatewayRole"])["AttachedPolicies"]
    users = iam.list_attached_user_policies(UserName=made().names["GatewayUser"])["AttachedPolicies"]
    assert [one["PolicyArn"] for one in roles] == [one["PolicyArn"] for one in users] != []


def test_the_function_has_what_it_needs_to_run() -> None:
    found = client("lambda").get_function_configuration(FunctionName=made().names["SortFunction"])
    assert found["Handler"] == "sesmail.functions.sorter.sort"
    variables = found["Environment"]["Variables"]
    assert settings(variables).mailboxes.domains == tuple(_DOMAINS)
    assert variables["SESMAIL__STORAGE__URL"] == f"s3://{made().outputs['BucketName']}"


@pytest.mark.parametrize("name", ["identifier-index", "application-identifier-index"])
def test_the_table_has_the_indexes(name: str) -> None:
    table = client("dynamodb").describe_table(TableName=made().outputs["TableName"])["Table"]
    assert [one["AttributeName"] for one in table["KeySchema"]] == ["sub_domain", "alias_address"]
    assert name in {one["IndexName"] for one in table["GlobalSecondaryIndexes"]}


def activation() -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """The code that makes a rule set the active one, with a CloudFormation that remembers what it is told."""
    text = parsed(source())["Resources"]["ActivationFunction"]["Properties"]["Code"]["ZipFile"]
    assert len(text) <= 4096
    told: list[dict[str, Any]] = []

    class Response:
        SUCCESS, FAILED = "SUCCESS", "FAILED"

        @staticmethod
        def send(event: Any, context: Any, status: str, data: Any, id: str, reason: str | None = None) -> None:
            told.append({"status": status, "id": id, "reason": reason})

    class Boto3:
        client = staticmethod(client)

    space: dict[str, Any] = {}
    exec(text.replace("import boto3\n", "").replace("import cfnresponse\n", ""), space)
    space |= {"boto3": Boto3, "cfnresponse": Response}

    def call(event: dict[str, Any]) -> list[dict[str, Any]]:
        told.clear()
        space["handler"](event, None)
        return told

    return call


def asked(request: str, name: str, replace: str = "yes") -> dict[str, Any]:
    return {"RequestType": request, "ResourceProperties": {"RuleSetName": name, "Replace": replace}}


def active() -> str | None:
    name: str | None = client("ses").describe_active_receipt_rule_set().get("Metadata", {}).get("Name")
    return name


@pytest.fixture
def rule_sets() -> tuple[str, str]:
    """Two of them."""
    ours, theirs = f"ours-{token_hex(4)}", f"theirs-{token_hex(4)}"
    for name in (ours, theirs):
        client("ses").create_receipt_rule_set(RuleSetName=name)
    return ours, theirs


def test_a_rule_set_becomes_active_but_takes_no_other_ones_place_unasked(rule_sets: tuple[str, str]) -> None:
    ours, theirs = rule_sets
    client("ses").set_active_receipt_rule_set(RuleSetName=theirs)
    call = activation()
    (told,) = call(asked("Create", ours))
    assert told["status"] == "FAILED"
    assert theirs in told["reason"]
    assert active() == theirs
    assert call(asked("Create", ours, "replace")) == [{"status": "SUCCESS", "id": ours, "reason": None}]
    assert active() == ours
    assert call(asked("Update", ours))[0]["status"] == "SUCCESS"


def test_the_rule_set_of_somebody_else_stays_active_when_the_stack_goes(rule_sets: tuple[str, str]) -> None:
    ours, theirs = rule_sets
    client("ses").set_active_receipt_rule_set(RuleSetName=theirs)
    assert activation()(asked("Delete", ours))[0]["status"] == "SUCCESS"
    assert active() == theirs


def test_our_rule_set_is_active_no_more_when_the_stack_goes(rule_sets: tuple[str, str]) -> None:
    ours, _ = rule_sets
    client("ses").set_active_receipt_rule_set(RuleSetName=ours)
    assert activation()(asked("Delete", ours))[0]["status"] == "SUCCESS"
    assert active() is None
