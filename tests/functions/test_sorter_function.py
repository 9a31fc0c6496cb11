"""Mail that comes in is sorted by the function that `make lambda` ships, on a real S3 server, with what Lambda has and no more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.aws.sesevents import (
    bounce,
    lambda_event,
    notice,
    outgoing,
    s3_action,
    s3_event,
    s3_test_event,
    setup_notice,
    sns_event,
)
from tests.functions.incoming import MESSAGE, Bucket, together
from tests.functions.lambdas import Function, Raised
from tests.servers import faultproxy, proxy, seaweed, ses
from tests.servers.faultproxy import FaultProxy, Rule
from tests.servers.ports import wait_until

CONTINUE = {"disposition": "CONTINUE"}
TOM, ANN = "mailboxes/example.com/tom/", "mailboxes/example.com/ann/"
BOTH = ("tom@example.com", "Ann+list@Example.com")


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture(scope="module")
def sort(bucket: Bucket) -> Iterator[Function]:
    with bucket.function() as made:
        yield made


@pytest.fixture
def failing() -> Iterator[FaultProxy]:
    """A way to the server that fails as it is told."""
    with faultproxy.before(seaweed.running().endpoint) as made:
        yield made


def by_lambda_action(*recipients: str) -> dict[str, Any]:
    return lambda_event(*recipients)


def by_sns(*recipients: str) -> dict[str, Any]:
    return sns_event(notice(*recipients))


@pytest.mark.parametrize("event", [by_lambda_action, by_sns])
def test_every_recipient_of_the_envelope_gets_it_and_the_original_goes(
    bucket: Bucket, sort: Function, event: Callable[..., dict[str, Any]]
) -> None:
    id = bucket.arrive(metadata={"x-amz-key-v2-of-old": "kept"})
    assert sort(bucket.about(event(*BOTH), id)) == CONTINUE
    assert bucket.of(id) == {TOM + id, ANN + id}
    assert bucket.get(TOM + id) == MESSAGE
    metadata = bucket.head(ANN + id)["Metadata"]
    assert metadata["x-amz-key-v2-of-old"] == "kept"
    assert (metadata["sesmail-sender"], metadata["sesmail-recipient"]) == ("sender@else.example", "Ann+list@example.com")


def test_an_event_of_s3_delivers_to_whom_ses_named_and_keeps_the_original_for_a_notice(bucket: Bucket, sort: Function) -> None:
    id = bucket.arrive(b"X-Later: 1\r\n" + MESSAGE)
    bucket.put(f"new/{id}", stamped(id))
    assert sort(bucket.about(s3_event(), id)) == CONTINUE
    assert bucket.of(id) == {TOM + id, f"swept/{id}"}
    assert sort(bucket.about(by_sns(*BOTH), id)) == CONTINUE
    assert bucket.of(id) == {TOM + id, ANN + id}


def stamped(id: str) -> bytes:
    """As SES stores it, for Tom."""
    above = [
        "Return-Path: <sender@else.example>",
        "Received: from mx.else.example (mx.else.example [192.0.2.1])",
        f" by inbound-smtp.eu-west-1.amazonaws.com with SMTP id {id}",
        " for tom@example.com; Sat, 21 Nov 2026 09:08:07 +0000 (UTC)",
        "X-SES-Spam-Verdict: PASS",
        "X-SES-Virus-Verdict: PASS",
        "X-SES-RECEIPT: AEFBQUFB",
    ]
    return "\r\n".join([*above, ""]).encode() + MESSAGE


def test_an_event_of_s3_through_sns_is_one_too(bucket: Bucket, sort: Function) -> None:
    id = bucket.arrive()
    bucket.put(f"new/{id}", stamped(id))
    assert sort(bucket.about(sns_event(s3_event()), id)) == CONTINUE
    assert bucket.exists(TOM + id)


def test_every_record_of_an_event_counts(bucket: Bucket, sort: Function) -> None:
    ids = [bucket.arrive() for _ in range(3)]
    assert sort(together(*(bucket.about(by_lambda_action("tom@example.com"), id) for id in ids))) == CONTINUE
    assert all(bucket.exists(TOM + id) and not bucket.exists(f"new/{id}") for id in ids)


@pytest.mark.parametrize("event", [s3_test_event(), sns_event(setup_notice()), sns_event(s3_test_event())])
def test_events_about_no_mail_are_done_with(bucket: Bucket, sort: Function, event: dict[str, Any]) -> None:
    before = bucket.listed()
    assert sort(event) == CONTINUE
    assert bucket.listed() == before


def test_an_event_that_comes_twice_changes_nothing(bucket: Bucket, sort: Function) -> None:
    id = bucket.arrive()
    event = bucket.about(by_sns(*BOTH), id)
    assert sort(event) == CONTINUE
    before = {key: bucket.head(key)["LastModified"] for key in bucket.listed()}
    assert sort(event) == CONTINUE
    assert {key: bucket.head(key)["LastModified"] for key in bucket.listed()} == before


def test_what_it_writes_itself_is_no_mail_where_s3_tells_of_the_whole_bucket(bucket: Bucket, sort: Function) -> None:
    id = bucket.arrive()
    bucket.put(f"new/{id}", stamped(id))
    assert sort(bucket.about(s3_event(), id)) == CONTINUE
    after = bucket.listed()
    own = [key for key in after if id in key]
    assert len(own) == 2
    assert sort(bucket.about(s3_event(*own), id)) == CONTINUE
    assert bucket.listed() == after


def test_a_large_message_that_ses_sealed_stays_open_to_its_reader(bucket: Bucket, sort: Function) -> None:
    sealed = {
        "x-amz-key-v2": "S2V5",
        "x-amz-iv": "aXY=",
        "x-amz-matdesc": '{"aws:ses:rule-name":"in"}',
        "x-amz-wrap-alg": "kms",
    }
    id = bucket.arrive(b"\x00\xff" * (5 << 20), metadata=sealed)
    sort(bucket.about(by_sns(*BOTH), id))
    assert all(bucket.head(folder + id)["Metadata"].items() >= sealed.items() for folder in (TOM, ANN))
    assert bucket.of(id) == {TOM + id, ANN + id}


@pytest.mark.parametrize("recipients", [(), ("no address",), ("tom@example.com", "a@b@c, d")])
def test_a_message_whose_recipients_cannot_be_read_is_not_deleted(
    bucket: Bucket, sort: Function, recipients: tuple[str, ...]
) -> None:
    id = bucket.arrive()
    event = bucket.about(by_lambda_action("x@example.com"), id)
    event["Records"][0]["ses"]["receipt"]["recipients"] = list(recipients)
    sort(event)
    assert bucket.of(id) - {TOM + id} == {f"held/{id}"}
    assert bucket.get(f"held/{id}") == MESSAGE


def test_a_call_that_lambda_cuts_off_is_completed_by_the_next() -> None:
    bucket = Bucket()
    id = bucket.arrive()
    people = [f"person{number}@example.com" for number in range(20)]
    event = bucket.about(by_sns(*people), id)
    with proxy.delayed(seaweed.running().endpoint, 0.1) as far, bucket.function(STORAGE__ENDPOINT=far) as sort:
        sort.begin(event)
        wait_until(lambda: len(bucket.of(id)) > 2, seconds=60, what=sort.log)
    assert f"new/{id}" in bucket.of(id)
    assert len(bucket.of(id)) < len(people)
    with bucket.function() as sort:
        assert sort(event) == CONTINUE
    assert bucket.of(id) == {f"mailboxes/example.com/{person.partition('@')[0]}/{id}" for person in people}


def test_mail_is_forwarded_under_a_name_that_every_environment_has() -> None:
    bucket = Bucket()
    routes = "[{address: tom@example.com, to: ['forward:tom@else.example']}]"
    with ses.running() as out:
        more = {"SES__ENDPOINT": out.endpoint, "SES__REGION": "us-east-1", "RELAY__COURIER": "ses"}
        with bucket.function(ROUTING__ROUTES=routes, ROUTING__FORWARD_FROM="forward@example.com", **more) as sort:
            sort(bucket.about(by_lambda_action("tom@example.com"), bucket.arrive()))
        (sent,) = out.sent
    assert sent.recipients == ("tom@else.example",)
    assert sent.data.startswith(b"X-Sesmail-Forwarded: sesmail-function\r\n")
    assert bucket.listed() == []


def test_a_sender_who_is_known_to_be_real_is_told_that_nobody_has_the_address() -> None:
    bucket = Bucket()
    with ses.running() as out:
        given = {
            "ROUTING__OPEN_DOMAINS": "[]",
            "AUTH__USERS": "[{name: tom@example.com, password: x}]",
            "ROUTING__UNKNOWN": "bounce",
        }
        given |= {"ROUTING__BOUNCE_FROM": "postmaster@example.com", "SES__ENDPOINT": out.endpoint, "AUTH__CHECKERS": "[static]"}
        with bucket.function(**given) as sort:
            event = bucket.about(by_lambda_action("nobody@example.com"), bucket.arrive())
            event["Records"][0]["ses"]["receipt"]["spfVerdict"]["status"] = "PASS"
            sort(event)
        (bounced,) = out.bounces
    assert bounced["BounceSender"] == "postmaster@example.com"
    assert bucket.listed() == []


def test_mail_of_ours_that_came_back_is_reported_to_its_sender() -> None:
    bucket = Bucket()
    with bucket.function() as sort:
        event = sns_event(outgoing("Bounce", "bounce", bounce()))
        assert sort(event) == CONTINUE
        (report,) = bucket.listed()
        assert report.startswith(TOM)
        assert b"a@else.example" in bucket.get(report)
        assert sort(event) == CONTINUE
        assert bucket.listed() == [report]


def test_mail_for_nobody_here_is_held_and_not_lost() -> None:
    bucket = Bucket()
    with bucket.function(ROUTING__OPEN_DOMAINS="[]", MAILBOXES__PASSWD="mailboxes/%d/passwd.txt") as sort:
        bucket.put("mailboxes/example.com/passwd.txt", b"tom:" + b"0" * 128 + b"\n")
        id = bucket.arrive()
        assert sort(bucket.about(by_lambda_action("tom@example.com", "nobody@example.com"), id)) == CONTINUE
        assert bucket.of(id) == {TOM + id, f"held/{id}"}
        assert bucket.get(f"held/{id}") == MESSAGE
        assert bucket.head(f"held/{id}")["Metadata"]["sesmail-reason"] == "unknown-recipient"
        assert len(sort.fates("held")) == 1


def test_what_fails_for_one_recipient_is_raised_and_the_repeat_completes_it(failing: FaultProxy) -> None:
    bucket = Bucket()
    with bucket.function(STORAGE__ENDPOINT=failing.endpoint, STORAGE__ATTEMPTS="1") as sort:
        id = bucket.arrive()
        event = bucket.about(by_sns(*BOTH), id)
        failing.fail(Rule(f"^PUT .*/{ANN}", "503"))
        for _ in range(2):
            with pytest.raises(Raised) as caught:
                sort(event)
            assert caught.value.type == "Unavailable"
            assert len(caught.value.trace) <= 1
        assert bucket.of(id) == {TOM + id, f"new/{id}"}
        written = bucket.head(TOM + id)["LastModified"]
        failing.fail()
        assert sort(event) == CONTINUE
        assert bucket.get(ANN + id) == MESSAGE
        assert bucket.of(id) == {TOM + id, ANN + id}
        assert bucket.head(TOM + id)["LastModified"] == written


def test_one_message_that_fails_does_not_keep_back_the_others(failing: FaultProxy) -> None:
    bucket = Bucket()
    with bucket.function(STORAGE__ENDPOINT=failing.endpoint, STORAGE__ATTEMPTS="1") as sort:
        bad, good = bucket.arrive(), bucket.arrive()
        events = [
            bucket.about(by_lambda_action(person), id) for person, id in (("ann@example.com", bad), ("tom@example.com", good))
        ]
        failing.fail(Rule(f"^PUT .*/{ANN}", "503"))
        with pytest.raises(Raised):
            sort(together(*events))
        assert bucket.listed() == [TOM + good, f"new/{bad}"]


def test_an_event_that_is_none_of_mail_is_raised_in_a_line(sort: Function) -> None:
    with pytest.raises(Raised) as caught:
        sort({"detail-type": "Scheduled Event", "source": "aws.events"})
    assert (caught.value.type, len(caught.value.trace)) == ("Malformed", 1)
    assert "an object with detail-type, source" in caught.value.message
    assert "\n" not in caught.value.message


def test_bad_variables_are_told_in_one_line_at_every_call() -> None:
    bucket = Bucket()
    wrong = {"INCOMING__GUES": "stamp", "STORAGE__SECRET_ACCESS_KEY": "hunter2"}
    with bucket.function(**wrong) as sort:
        for _ in range(2):
            with pytest.raises(Raised) as caught:
                sort(s3_test_event())
            assert (caught.value.type, len(caught.value.trace)) == ("Unavailable", 1)
            assert "SESMAIL__INCOMING__GUES: unknown option" in caught.value.message
            assert "\n" not in caught.value.message
        assert "hunter2" not in sort.log()


def test_the_setting_incoming_prefix_says_where_the_rule_s_lambda_action_finds_it() -> None:
    bucket = Bucket()
    with bucket.function(INCOMING__PREFIX="") as sort:
        id = bucket.arrive(prefix="")
        assert sort(bucket.about(by_lambda_action("Tom@Example.com"), id)) == CONTINUE
        assert bucket.listed() == [TOM + id]


def test_the_key_that_a_notice_names_is_taken_with_its_longer_prefix(bucket: Bucket, sort: Function) -> None:
    id = bucket.arrive(prefix="new/sales/")
    said = notice("tom@example.com", action=s3_action(f"new/sales/{id}"))
    assert sort(bucket.about(sns_event(said), id)) == CONTINUE
    assert bucket.of(id) == {TOM + id}


def test_one_line_tells_the_fate_of_each_message(bucket: Bucket, sort: Function) -> None:
    id = bucket.arrive()
    sort(bucket.about(by_sns("tom@example.com"), id))
    (line,) = [line for line in sort.log().splitlines() if id in line]
    assert line.startswith("[INFO]\tsorted ")


def test_nothing_is_loaded_that_lambda_does_not_have(bucket: Bucket, sort: Function) -> None:
    sort(s3_test_event())
    loaded = {name for name in sort.last["modules"] if name not in sys.stdlib_module_names and not name.startswith("__")}
    assert "twisted" not in loaded
    assert loaded <= {"boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six", "sesmail", "idna", "yaml"}
