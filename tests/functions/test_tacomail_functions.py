"""A table as tacomail itself kept it, behind our functions: what was delivered is delivered, and what its own got wrong is right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.aliases.tables import REGION, client, new_dynamodb
from tests.aliases.tacomail import legacy_alias
from tests.aws.sesevents import lambda_event, s3_event, sns_event
from tests.aws.sesevents import notice as said
from tests.functions.incoming import Bucket
from tests.functions.lambdas import Function, function
from tests.functions.test_verdict_function import HANDLER, asked
from tests.servers import seaweed

_STOP, _CONTINUE = {"disposition": "STOP_RULE"}, {"disposition": "CONTINUE"}
_README = {"configValue": {"SS": ["example.com"]}}
_CODE = {
    "configValues": {
        "L": [
            {
                "M": {
                    "subdomain": {"S": "example.com"},
                    "description": {"S": "mine"},
                    "active": {"BOOL": True},
                    "created_datetime": {"N": "1600000000"},
                    "modified_datetime": {"N": "1600000000"},
                }
            }
        ]
    }
}


class Theirs:
    """A table with three aliases, and with the item of domains in one of its forms, or without."""

    def __init__(self, domains: dict[str, Any] | None) -> None:
        self.name, _, self.endpoint = new_dynamodb().partition(":")[2].partition("@")
        self.client = client(self.endpoint)
        for local, active, ignore in (("live", True, False), ("quiet", True, True), ("off", False, False)):
            self.put(legacy_alias(local, "example.com", active=active, ignore=ignore, identifier=str(uuid4())))
        if domains is not None:
            self.put({"sub_domain": {"S": "tacomail-config"}, "alias_address": {"S": "sub_domains"}, **domains})

    def put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.name, Item=item)

    def uses(self, local: str) -> int:
        key = {"sub_domain": {"S": "example.com"}, "alias_address": {"S": local}}
        return int(self.client.get_item(TableName=self.name, Key=key)["Item"]["use_count"]["N"])

    def variables(self, **more: str) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": "AKIATHEIRS", "AWS_SECRET_ACCESS_KEY": "theirs", "AWS_REGION": REGION}
        given = {"ALIASES__ENDPOINT": self.endpoint, "ALIASES__REGION": REGION, **more}
        return {**keys, "POSTFIX_DYNAMODB_TABLE": self.name, **{f"SESMAIL__{name}": value for name, value in given.items()}}


@contextmanager
def judging(table: Theirs, **more: str) -> Iterator[Function]:
    with function(table.variables(**more), HANDLER) as made:
        yield made


@pytest.mark.parametrize("domains", [None, _README, _CODE])
def test_what_was_accepted_is_accepted_and_what_was_bounced_is_bounced(domains: dict[str, Any] | None) -> None:
    table = Theirs(domains)
    with judging(table) as judge:
        for address in ("live@example.com", "Live--tag#x@Example.COM", "live=x@example.com", "quiet+x@example.com"):
            assert judge(asked(address)) == _STOP, address
        for address in ("off@example.com", "nobody@example.com", "+live@example.com", "prvs=live=bob@example.com"):
            assert judge(asked(address)) == _CONTINUE, address
        assert judge(asked("quiet@example.com", mark="yes")) == _CONTINUE
        assert judge(asked("live@example.com", mark="yes")) == _STOP


def test_a_message_to_a_dead_alias_is_not_saved_by_a_live_one_in_its_header() -> None:
    event = lambda_event("off@example.com")
    event["Records"][0]["ses"]["mail"]["destination"] = ["live@example.com"]
    with judging(Theirs(_CODE)) as judge:
        assert judge(event) == _CONTINUE


def test_an_alias_whose_address_has_a_separator_gets_its_mail() -> None:
    table = Theirs(None)
    table.put(legacy_alias("a--b", "example.com", identifier=str(uuid4())))
    table.put(legacy_alias("a", "example.com", active=False, identifier=str(uuid4())))
    with judging(table) as judge:
        assert judge(asked("a--b@example.com")) == _STOP


def test_a_use_is_counted_once_where_nobody_sorts_the_mail() -> None:
    table = Theirs(_CODE)
    event = asked("live@example.com", "live+x@example.com", mark="yes")
    event["Records"][0]["ses"]["mail"]["destination"] = ["live@example.com"]
    with judging(table, VERDICT__COUNT="true") as judge:
        assert judge(asked("live@example.com")) == judge(event) == _STOP
    assert (table.uses("live"), table.uses("off")) == (2, 1)


def test_a_table_that_cannot_be_asked_bounces_nothing_unless_told_to() -> None:
    table = Theirs(None)
    table.client.delete_table(TableName=table.name)
    with judging(table) as judge, judging(table, VERDICT__FAIL="closed") as closed:
        assert judge(asked("nobody@example.com")) == _STOP
        assert closed(asked("nobody@example.com")) == _CONTINUE
        assert "nobody@example.com" not in judge.log()


def sorting(table: Theirs, bucket: Bucket) -> dict[str, str]:
    """The variables of the sorter: everything for S3 goes to Tom."""
    server = seaweed.running()
    more = {
        "ALIASES__MAILBOX": "tom@example.com",
        "ALIASES__ACCESS_KEY_ID": "AKIATHEIRS",
        "ALIASES__SECRET_ACCESS_KEY": "theirs",
    }
    return {**table.variables(**more), **bucket.environment(STORAGE__REGION=server.region, ROUTING__OPEN_DOMAINS="[]")}


def test_mail_to_bcc_to_lists_and_with_a_tag_reaches_the_mailbox_octet_for_octet() -> None:
    table, bucket = Theirs(_CODE), Bucket()
    bucket.put("mailboxes/example.com/passwd.txt", b"tom:x\n")
    id = bucket.arrive()
    event = bucket.about(sns_event(said("live--list@example.com")), id)
    with function(sorting(table, bucket)) as sort:
        sort(event)
        sort(event)
    assert bucket.of(id) == {f"mailboxes/example.com/tom/{id}"}
    assert b"Gr\xfc\xdfe" in bucket.get(f"mailboxes/example.com/tom/{id}")
    assert table.uses("live") == 2


def test_what_is_ignored_is_dropped_and_what_is_inactive_is_kept_for_the_administrator() -> None:
    table, bucket = Theirs(_CODE), Bucket()
    bucket.put("mailboxes/example.com/passwd.txt", b"tom:x\n")
    quiet, off = bucket.arrive(), bucket.arrive()
    with function(sorting(table, bucket)) as sort:
        sort(bucket.about(sns_event(said("quiet@example.com")), quiet))
        sort(bucket.about(sns_event(said("off@example.com")), off))
    assert (bucket.of(quiet), bucket.of(off)) == (set(), {f"held/{off}"})
    assert (table.uses("quiet"), table.uses("off")) == (2, 1)


def test_a_key_in_a_folder_with_spaces_is_no_trouble() -> None:
    table, bucket = Theirs(_CODE), Bucket()
    bucket.put("mailboxes/example.com/passwd.txt", b"tom:x\n")
    id = bucket.arrive(prefix="in box/")
    mailboxes = '[{prefix: "in box/", recipient: live@example.com}]'
    variables = sorting(table, bucket) | {"SESMAIL__INCOMING__MAILBOXES": mailboxes}
    with function(variables) as sort:
        sort(bucket.about(s3_event(f"in+box/{id}"), id))
    assert f"mailboxes/example.com/tom/{id}" in bucket.of(id)
