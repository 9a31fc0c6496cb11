"""Whatever way an event takes, it says the same of a message: where it lies, for whom the envelope was, and what SES found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sesmail.aws.document import LONGEST_DOCUMENT
from sesmail.aws.events import Event, events, read
from sesmail.aws.objects import id_of
from sesmail.aws.receipt import DmarcPolicy, Incoming, Notice, Verdict, Verdicts
from sesmail.errors import Malformed, TooLarge
from tests.aws import sesevents
from tests.aws.sesevents import AT, BUCKET, MESSAGE_ID

HERE = Incoming(BUCKET, "new/")
_FOUND = Verdicts(
    spam=Verdict.PASS,
    virus=Verdict.DISABLED,
    spf=Verdict.GRAY,
    dkim=Verdict.PROCESSING_FAILED,
    dmarc=Verdict.FAIL,
    dmarc_policy=DmarcPolicy.REJECT,
)
_WHOLE = Notice(MESSAGE_ID, BUCKET, f"new/{MESSAGE_ID}", AT, ("tom@example.com",), (), "sender@else.example", _FOUND)
_BARE = Notice(MESSAGE_ID, BUCKET, f"new/{MESSAGE_ID}", AT)


def told(document: object, incoming: Incoming = HERE) -> tuple[Event, ...]:
    """What both ways of reading give, which must be the same."""
    found = read(json.dumps(document), incoming)
    assert found == read(json.dumps(document).encode(), incoming) == events(document, incoming)
    return found


def one(document: object, incoming: Incoming = HERE) -> Notice:
    (found,) = told(document, incoming)
    assert isinstance(found, Notice)
    return found


def refusal(document: object) -> str:
    with pytest.raises(Malformed) as raised:
        told(document)
    return raised.value.public


@pytest.mark.parametrize(
    "document",
    [
        sesevents.notice(),
        sesevents.envelope(sesevents.notice()),
        sesevents.sns_event(sesevents.notice()),
        sesevents.lambda_event(),
        sesevents.notice() | {"content": "From: me\r\n\r\nbody"},
    ],
)
def test_a_message_is_told_of_in_the_same_words_by_every_way(document: object) -> None:
    assert one(document) == _WHOLE


@pytest.mark.parametrize(
    "document", [sesevents.s3_event(), sesevents.envelope(sesevents.s3_event()), sesevents.sns_event(sesevents.s3_event())]
)
def test_s3_does_not_know_for_whom_a_message_is(document: object) -> None:
    assert one(document) == _BARE
    assert _BARE.recipients is None
    assert _BARE.sender is None


def test_every_record_counts_not_only_the_first() -> None:
    assert told(sesevents.lambda_event(records=3)) == (_WHOLE,) * 3
    found = told(sesevents.s3_event("new/a1", "new/b2", "new/c3"))
    assert [event.message_id for event in found] == ["a1", "b2", "c3"]
    assert told(sesevents.sns_event(sesevents.notice(), sesevents.s3_test_event(), sesevents.s3_event())) == (_WHOLE, _BARE)


def test_one_bad_record_spoils_the_event_before_anything_is_done() -> None:
    document = sesevents.s3_event("new/a1", "new/../b2")
    assert refusal(document) == "Records[1].s3.object.key is a key with control characters, or with . or .. in its path"


def test_only_the_envelope_names_recipients() -> None:
    document = sesevents.notice("hidden@example.com")
    document["mail"]["destination"] = ["header@example.com", "tom@example.com"]
    assert one(document).recipients == ("hidden@example.com",)
    document["receipt"]["recipients"] = []
    assert one(document).recipients is None


def test_recipients_are_written_in_one_form_and_named_once() -> None:
    document = sesevents.notice(
        "Tom@EXAMPLE.com", "Tom@example.com", '"tom"@example.com', "jim@bücher.example", "tom+x@example.com"
    )
    assert one(document).recipients == ("Tom@example.com", "tom@example.com", "jim@xn--bcher-kva.example", "tom+x@example.com")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("jörg@example.com", "j\\xf6rg@example.com"),
        ("a\0b@example.com", "a\\x00b@example.com"),
        ("tom", "tom"),
        ("", ""),
        ("tom@[127.0.0.1]", "tom@[127.0.0.1]"),
        ("x" * 300 + "@example.com", "x" * 300 + "@example.com"),
        ("<tom@example.com>", "<tom@example.com>"),
        ("a@b\r\nc@example.com", "a@b\\r\\nc@example.com"),
    ],
)
def test_a_recipient_that_is_no_address_is_neither_lost_nor_in_the_way_of_others(written: str, shown: str) -> None:
    found = one(sesevents.notice(written, "tom@example.com", written))
    assert found.recipients == ("tom@example.com",)
    assert found.unreadable == (shown,)
    alone = one(sesevents.notice(written))
    assert (alone.recipients, alone.unreadable) == ((), (shown,))


@pytest.mark.parametrize("local", ["../x", "a/b", "%2e%2e%2f", "..", "~", "-rf"])
def test_a_strange_local_part_stays_what_it_is(local: str) -> None:
    found = one(sesevents.notice(f'"{local}"@example.com'))
    assert found.recipients is not None
    assert found.recipients[0].strip('"').startswith(local)
    assert found.key == f"new/{MESSAGE_ID}"


@pytest.mark.parametrize(
    ("source", "sender"),
    [
        ("Sender@ELSE.example", "Sender@else.example"),
        ("", ""),
        ("<>", ""),
        ("x" * 65 + "@else.example", ""),
        ("jörg@else.example", ""),
        ("a\0@else.example", ""),
    ],
)
def test_the_sender_is_that_of_the_envelope_and_never_keeps_mail_out(source: str, sender: str) -> None:
    assert one(sesevents.notice(source=source)).sender == sender


@pytest.mark.parametrize("change", [lambda mail: mail.pop("source"), lambda mail: mail.update(source=None)])
def test_no_sender_is_the_null_sender(change: Callable[[dict[str, Any]], object]) -> None:
    document = sesevents.notice()
    change(document["mail"])
    assert one(document).sender == ""


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("PASS", Verdict.PASS),
        ("FAIL", Verdict.FAIL),
        ("GRAY", Verdict.GRAY),
        ("PROCESSING_FAILED", Verdict.PROCESSING_FAILED),
        ("DISABLED", Verdict.DISABLED),
        ("pass", Verdict.PASS),
        ("A_WORD_OF_TOMORROW", Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
    ],
)
def test_each_verdict_is_read_from_its_own_member(status: str, verdict: Verdict) -> None:
    for name in ("spam", "virus", "spf", "dkim", "dmarc"):
        document = sesevents.notice()
        for other in ("spam", "virus", "spf", "dkim", "dmarc"):
            del document["receipt"][f"{other}Verdict"]
        document["receipt"][f"{name}Verdict"] = {"status": status}
        assert one(document).verdicts == Verdicts(**{name: verdict}, dmarc_policy=DmarcPolicy.REJECT)


@pytest.mark.parametrize(
    ("policy", "read"),
    [
        ("none", DmarcPolicy.NONE),
        ("QUARANTINE", DmarcPolicy.QUARANTINE),
        ("reject", DmarcPolicy.REJECT),
        ("other", None),
        (None, None),
    ],
)
def test_the_policy_is_one_of_three_or_not_known(policy: str | None, read: DmarcPolicy | None) -> None:
    document = sesevents.notice()
    document["receipt"]["dmarcPolicy"] = policy
    assert one(document).verdicts.dmarc_policy is read


@pytest.mark.parametrize("prefix", ["", "new/", "mail-", "a/b/"])
def test_an_event_that_does_not_say_where_the_message_lies_means_the_configured_place(prefix: str) -> None:
    found = one(sesevents.lambda_event(), Incoming("other-bucket", prefix))
    assert (found.bucket, found.key) == ("other-bucket", prefix + MESSAGE_ID)


def test_a_notice_says_itself_where_the_message_lies() -> None:
    document = sesevents.notice(action=sesevents.s3_action(f"elsewhere{MESSAGE_ID}", "Old_Bucket.1"))
    found = one(document, Incoming("other-bucket", "new/"))
    assert (found.bucket, found.key) == ("Old_Bucket.1", f"elsewhere{MESSAGE_ID}")


@pytest.mark.parametrize("kind", ["SNS", "Bounce", "WorkMail", "Stop"])
def test_an_action_that_stores_nothing_is_told_so(kind: str) -> None:
    said = refusal(sesevents.notice(action={"type": kind, "topicArn": sesevents.TOPIC}))
    assert said.startswith(f"a notice of the receipt rule's {kind} action does not say where the message lies")


@pytest.mark.parametrize(
    ("escaped", "key"),
    [
        ("new/a+b", "new/a b"),
        ("new/a%2Bb", "new/a+b"),
        ("new/gr%C3%BC%C3%9Fe", "new/grüße"),
        ("new/100%25", "new/100%"),
        ("new/a%2525", "new/a%25"),
        ("new/a%3Ab%26c", "new/a:b&c"),
        ("new/a..b", "new/a..b"),
        ("x" * 1024, "x" * 1024),
    ],
)
def test_keys_of_s3_are_unescaped_once(escaped: str, key: str) -> None:
    assert one(sesevents.s3_event(escaped)).key == key


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.6", "2.31"])
def test_a_new_minor_version_of_s3s_events_is_no_trouble(version: str) -> None:
    assert one(sesevents.s3_event(version=version)) == _BARE


@pytest.mark.parametrize("name", ["ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload", "s3:ObjectCreated:Put"])
def test_an_object_may_be_written_in_several_ways(name: str) -> None:
    assert one(sesevents.s3_event(name=name)) == _BARE


@pytest.mark.parametrize(
    "document",
    [
        sesevents.s3_test_event(),
        sesevents.setup_notice(),
        sesevents.s3_event("new/AMAZON_SES_SETUP_NOTIFICATION"),
        sesevents.s3_event("mail-AMAZON_SES_SETUP_NOTIFICATION"),
        sesevents.s3_event("AMAZON_SES_SETUP_NOTIFICATION"),
        sesevents.s3_event("new/"),
        sesevents.s3_event(name="ObjectRemoved:Delete"),
        sesevents.s3_event(name="ObjectRestore:Post"),
        {"Records": []},
        {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have subscribed"},
    ],
)
def test_what_tells_of_no_message_is_nothing_to_do(document: object) -> None:
    assert told(document) == told(sesevents.envelope(document)) == told(sesevents.sns_event(document)) == ()


def test_the_plain_text_that_greets_a_topic_is_nothing_to_do() -> None:
    text = "Successfully validated SNS topic for Amazon SES event publishing."
    assert read(text, HERE) == read(text.encode(), HERE) == ()
    assert told(sesevents.envelope(text)) == told(sesevents.sns_event(text)) == ()


def _without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    part = document
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "not an event of mail: the document is an empty object"),
        ([], "not an event of mail: the document is a list of 0"),
        ("hello", "not an event of mail: the document is a string"),
        (7, "not an event of mail: the document is a number"),
        (None, "not an event of mail: the document is null"),
        ({"detail-type": "Object Created", "source": "aws.s3"}, "not an event of mail: the document is an object with detail-type, source"),
        ({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, "not an event of mail: Records[0] is an object with eventSource, body"),
        ({"Records": {"ses": {}}}, "Records must be a list, and is an object with ses"),
        ({"Records": [5]}, "not an event of mail: Records[0] is a number"),
        ({"Records": [{"ses": 5}]}, "Records[0].ses must be an object, and is a number"),
        ({"Records": [{}] * 1001}, "Records has 1001 items, at most 1000 are taken"),
        ({"Event": "s3:OtherEvent"}, "not an event of mail: the document is an object with Event"),
        ({"notificationType": "Invented"}, "events of SES of the kind Invented are not known here"),
        ({"notificationType": 5}, "notificationType must be a string, and is a number"),
        ({"notificationType": "Received"}, "mail is missing: there is an object with notificationType"),
        (sesevents.envelope({"a": 1}), "not an event of mail: Message is an object with a"),
        (sesevents.envelope("hello"), "Message is not JSON"),
        (sesevents.envelope(sesevents.envelope(sesevents.notice())), "not an event of mail: Message is an object with Type, MessageId, TopicArn, Subject, Message, Timestamp, 4 more"),
        (sesevents.envelope(sesevents.sns_event(sesevents.notice())), "not an event of mail: Message.Records[0] is an object with EventSource"),
        (sesevents.envelope("x", "SubscriptionConfirmation"), "a message of SNS that carries no mail: a subscription, which must be confirmed in SNS"),
        (sesevents.envelope("x") | {"Message": {}}, "Message must be a string, and is an empty object"),
        (_without(sesevents.notice(), "receipt"), "receipt is missing"),
        (_without(sesevents.notice(), "receipt", "recipients"), "receipt.recipients is missing"),
        (_without(sesevents.notice(), "receipt", "action"), "receipt.action is missing"),
        (_without(sesevents.notice(), "receipt", "action", "objectKey"), "receipt.action.objectKey is missing"),
        (_without(sesevents.notice(), "receipt", "timestamp"), "receipt.timestamp is missing"),
        (_without(sesevents.notice(), "mail", "messageId"), "mail.messageId is missing"),
        (sesevents.notice(None), "receipt.recipients[0] must be a string, and is null"),
        (sesevents.notice({"a": 1}), "receipt.recipients[0] must be a string, and is an object with a"),
        (sesevents.notice("x" * 1025), "receipt.recipients[0] has 1025 characters, at most 1024 are taken"),
        (sesevents.notice(*["a@b.example"] * 1001), "receipt.recipients has 1001 items, at most 1000 are taken"),
        (sesevents.notice("\ud800@example.com"), "receipt.recipients[0] has half a character in it"),
        (sesevents.s3_event(version="3.0"), "Records[0].eventVersion is not 2, the one that is known here"),
        (sesevents.s3_event("new/%zz"), "Records[0].s3.object.key is not a key as S3's events have it"),
        (sesevents.s3_event("new/%ff"), "Records[0].s3.object.key is not a key as S3's events have it"),
        (sesevents.s3_event("new/%00"), "Records[0].s3.object.key is a key with control characters"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_told_what_it_is(document: object, said: str) -> None:
    assert refusal(document).startswith(said)


@pytest.mark.parametrize(
    "name", ["", "/x", "new/../x", "../x", "new/./x", "new/..", ".", "x" * 1025, "ü" * 513, "a\0b", "a\nb", "a\x7fb"]
)
def test_a_key_that_leads_elsewhere_is_malformed(name: str) -> None:
    escaped = name.replace("\0", "%00").replace("\n", "%0A")
    assert "key" in refusal(sesevents.s3_event(escaped) if name else {"Records": [sesevents.s3_event("")["Records"][0]]})
    assert "receipt.action.objectKey" in refusal(sesevents.notice(action=sesevents.s3_action(name)))


@pytest.mark.parametrize(
    "name",
    ["", "ab", "..", "a..b", "-abc", "abc.", "a/b", "a b", "a%2fb", "arn:aws:s3:::x", "bücher", "a" * 256, "abc\n", "a\0b"],
)
def test_a_bucket_that_can_be_none_is_malformed(name: str) -> None:
    assert refusal(sesevents.s3_event(bucket=name)) == "Records[0].s3.bucket.name is not the name of a bucket"
    action = sesevents.s3_action(bucket=name)
    assert refusal(sesevents.notice(action=action)) == "receipt.action.bucketName is not the name of a bucket"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "+Folder", "a b", "a%2fb", "x" * 71, "ä", "a\nb", "a\0", "-x"])
def test_a_message_id_that_could_lead_elsewhere_is_malformed(name: str) -> None:
    for document in (sesevents.notice(), sesevents.lambda_event()):
        part = document if "mail" in document else document["Records"][0]["ses"]
        part["mail"]["messageId"] = name
        assert refusal(document).endswith("mail.messageId is not a message id of SES")


@pytest.mark.parametrize(
    ("key", "prefix", "id"),
    [
        (MESSAGE_ID, "", MESSAGE_ID),
        (f"new/{MESSAGE_ID}", "new/", MESSAGE_ID),
        (f"mail-{MESSAGE_ID}", "mail-", MESSAGE_ID),
        (f"new/tom/{MESSAGE_ID}", "new/", MESSAGE_ID),
        (f"other/{MESSAGE_ID}", "new/", MESSAGE_ID),
        ("new/1.eml", "new/", "1.eml"),
    ],
)
def test_a_message_is_called_the_same_by_whatever_way_it_is_heard_of(key: str, prefix: str, id: str) -> None:
    assert id_of(key, prefix) == id == one(sesevents.s3_event(key), Incoming(BUCKET, prefix)).message_id


def test_what_others_wrote_is_never_taken_for_the_same_message() -> None:
    keys = [
        "new/a/1.eml",
        "new/b/1.eml",
        "new/1.eml",
        "new/.eml",
        "new/+eml",
        "new/ä",
        "new/a b",
        "new/" + "x" * 71,
        "new/" + "x" * 72,
    ]
    ids = [id_of(key, "new/") for key in keys]
    assert len(set(ids)) == len(keys)
    assert all(id.isascii() and 0 < len(id) <= 70 and id[0].isalnum() and "/" not in id for id in ids)
    assert ids == [id_of(key, "new/") for key in keys]


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 10_000, '{"Records": [', "\ufeff{}"])
def test_what_is_no_json_is_malformed(body: str) -> None:
    for form in (body, body.encode()):
        with pytest.raises(Malformed, match="the document is not JSON"):
            read(form, HERE)
    with pytest.raises(Malformed):
        read(json.dumps(sesevents.envelope(body)), HERE)


def test_octets_that_are_no_utf_8_are_malformed() -> None:
    with pytest.raises(Malformed):
        read(json.dumps(sesevents.notice()).encode("utf-16"), HERE)


def test_a_body_has_a_bound() -> None:
    with pytest.raises(TooLarge):
        read(" " * (LONGEST_DOCUMENT + 1), HERE)


def test_what_nobody_asks_for_may_be_anything() -> None:
    document = sesevents.notice() | {"content": "x" * 200_000, "new": [[[]]] * 1000}
    document["mail"]["headers"] = "none of your business"
    document["mail"]["commonHeaders"] = None
    assert one(document) == _WHOLE
