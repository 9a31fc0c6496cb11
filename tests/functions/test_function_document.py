"""What docs/functions.rst tells people to do works, and the rights it gives the function are enough and none too many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import boto3
import botocore.session
import pytest

from sesmail.aws import policies
from sesmail.aws.policies import Account, Arrivals, Boxes
from sesmail.config.foreign.tacomail import VARIABLE
from sesmail.config.option import options
from sesmail.config.table import sections
from sesmail.functions.settings import settings
from tests.aws.sesevents import BUCKET, lambda_event, s3_event, sns_event
from tests.aws.sesevents import notice as said
from tests.functions.incoming import MESSAGE, about
from tests.functions.lambdas import HANDLER, ROOT, Function, Raised, function
from tests.functions.test_sorter_function import ANN, BOTH, TOM, stamped
from tests.servers import moto

_TEXT = (ROOT / "docs/functions.rst").read_text()
_IN_DOCUMENT = "example-mail"
_ID = "{:040d}"


def policy(*, without: int | None = None) -> dict[str, Any]:
    """The policy that the role needs, but for one of its statements."""
    found = re.search(r"^    \{\n.*?^    \}$", _TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    document: dict[str, Any] = json.loads(found[0].replace(_IN_DOCUMENT, BUCKET))
    for statement in document["Statement"]:
        if statement["Action"] == "s3:DeleteObject":
            # Where several keys are deleted at once, AWS asks for this right on each of them and moto on the bucket.
            statement["Resource"].append(f"arn:aws:s3:::{BUCKET}")
    if without is not None:
        del document["Statement"][without]
    return document


class House:
    """A stand-in of AWS that checks rights, with a bucket and one user, who is the function."""

    def __init__(self) -> None:
        self.s3 = client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self._iam = client("iam")
        self._iam.create_user(UserName="sort")
        made = self._iam.create_access_key(UserName="sort")["AccessKey"]
        self._keys = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
        self._arrived = 0

    def allow(self, document: dict[str, Any]) -> None:
        """This and no more."""
        self._iam.put_user_policy(UserName="sort", PolicyName="mail", PolicyDocument=json.dumps(document))

    @contextmanager
    def function(self, **more: str) -> Iterator[Function]:
        """The function, and from then on rights are checked."""
        given = {"STORAGE__URL": f"s3://{BUCKET}", "STORAGE__ENDPOINT": moto.running(), "STORAGE__ATTEMPTS": "1"}
        given |= {"ROUTING__OPEN_DOMAINS": "[example.com]"}
        variables = {f"SESMAIL__{name}": value for name, value in (given | more).items()}
        with function(self._keys | variables) as made:
            check_rights_after("0")
            try:
                yield made
            finally:
                check_rights_after("inf")

    def arrive(self) -> str:
        """A message, as SES stores it; its id."""
        self._arrived += 1
        id = _ID.format(self._arrived)
        self.s3.put_object(Bucket=BUCKET, Key=f"new/{id}", Body=stamped(id))
        return id

    def of(self, id: str) -> set[str]:
        """The keys of this message, without our records."""
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return {item["Key"] for item in found if id in item["Key"] and not item["Key"].startswith(".sesmail/")}


def client(service: str) -> Any:
    keys = {"aws_access_key_id": "AKIAROOT", "aws_secret_access_key": "root"}
    return boto3.client(service, endpoint_url=moto.running(), region_name="us-east-1", **keys)


def check_rights_after(requests: str) -> None:
    """How many requests may be made before rights are checked."""
    order = Request(f"{moto.running()}/moto-api/reset-auth", requests.encode(), {"Content-Type": "text/plain"})
    urlopen(order, timeout=30).close()


@pytest.fixture(scope="module")
def account() -> House:
    return House()


def test_the_rights_are_enough_for_all_that_becomes_of_mail(account: House) -> None:
    account.allow(policy())
    delivered, held, guessed, stuck = (account.arrive() for _ in range(4))
    with account.function(MAILBOXES__PLACES="[{for: eve@example.com, url: 's3://not-there'}]") as sort:
        sort(about(lambda_event(*BOTH), delivered))
        sort(about(sns_event(said("tom@example.com", "nobody@else.example")), held))
        sort(about(s3_event(), guessed))
        with pytest.raises(Raised):
            sort(about(lambda_event("tom@example.com", "eve@example.com"), stuck))
    assert account.of(delivered) == {TOM + delivered, ANN + delivered}
    assert account.of(held) == {TOM + held, f"held/{held}"}
    assert account.of(guessed) == {TOM + guessed, f"swept/{guessed}"}
    assert account.of(stuck) == {TOM + stuck, f"new/{stuck}"}
    with account.function() as sort:
        sort(about(lambda_event(*BOTH), guessed))
        sort(about(lambda_event("tom@example.com", "eve@example.com"), stuck))
    assert account.of(guessed) == {TOM + guessed, ANN + guessed}
    assert f"new/{stuck}" not in account.of(stuck)


# But for the right to list, whose absence moto does not show: it says of what is not there that it is not there.
@pytest.mark.parametrize("number", range(1, len(policy()["Statement"])))
def test_no_right_is_too_many_and_without_it_no_mail_is_lost(account: House, number: int) -> None:
    account.allow(policy(without=number))
    id = account.arrive()
    with account.function() as sort, pytest.raises(Raised, match="temporary failure"):
        sort(about(lambda_event("tom@example.com"), id))
    assert f"new/{id}" in account.of(id)
    assert account.s3.get_object(Bucket=BUCKET, Key=f"new/{id}")["Body"].read().endswith(MESSAGE)


def test_the_policy_shown_is_what_iam_policy_prints() -> None:
    shown = json.loads(json.dumps(policy()).replace(BUCKET, _IN_DOCUMENT))
    shown["Statement"][-1]["Resource"].remove(f"arn:aws:s3:::{_IN_DOCUMENT}")
    printed = policies.sort(Account(), Arrivals(_IN_DOCUMENT, ["new/"]), [Boxes(_IN_DOCUMENT, ["mailboxes/"])])
    assert shown == policies.document(printed)


def test_the_variables_named_are_options() -> None:
    known = {f"SESMAIL__{name}__{key}".upper() for name, cls in sections().items() for key in options(cls)}
    named = set(re.findall(r"SESMAIL__[A-Z0-9_]+", _TEXT)) - {"SESMAIL__SECTION__OPTION"}
    assert len(named) > 8
    assert named <= known
    assert f"``{VARIABLE}``" in _TEXT


def test_the_route_shown_is_a_good_one() -> None:
    name, value = re.findall(r"^    (SESMAIL__ROUTING__ROUTES)=(.*)$", _TEXT, re.MULTILINE)[0]
    (route,) = settings({"SESMAIL__STORAGE__URL": "s3://example-mail", name: value}).routing.routes
    assert (route.address, route.to) == ("tom@example.com", ("maildir:/mnt/Maildir/tom",))


def test_the_zip_and_the_handler_are_called_what_they_are_called() -> None:
    made = re.search(r"^LAMBDA \?= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert made is not None
    assert f"``make lambda`` writes ``{made[1]}``" in _TEXT
    assert f"``{HANDLER}``" in _TEXT


@pytest.mark.parametrize("command", re.findall(r"^    aws (lambda (?:.*\\\n)*.*)$", _TEXT, re.MULTILINE))
def test_the_commands_shown_are_those_of_aws(command: str) -> None:
    service, verb, *arguments = command.replace("\\\n", " ").split()
    name = "".join(part.title() for part in verb.split("-"))
    operation = botocore.session.get_session().get_service_model(service).operation_model(name)
    given = {"".join(part.title() for part in word[2:].split("-")) for word in arguments if word.startswith("--")}
    assert set(operation.input_shape.required_members) <= given <= set(operation.input_shape.members)


def test_the_rights_to_send_are_called_what_aws_calls_them() -> None:
    session = botocore.session.get_session()
    known = {name for service in ("ses", "sesv2") for name in session.get_service_model(service).operation_names}
    assert set(re.findall(r"``ses:(\w+)``", _TEXT)) <= known
