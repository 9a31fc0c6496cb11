"""The tests' own SES does, towards boto3, what the tests of sending rely on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.servers import ses

_MAIL = b"From: Jack <jack@example.com>\r\nBcc: x@example.org\r\n\r\n\xff\xe4 and \0\r\n"


@pytest.fixture
def server() -> Iterator[ses.Server]:
    with ses.running() as running:
        yield running


def send(client: Any, *recipients: str, data: bytes = _MAIL, **more: Any) -> str:
    answer = client.send_email(Content={"Raw": {"Data": data}}, Destination={"BccAddresses": list(recipients)}, **more)
    return str(answer["MessageId"])


def error_of(server: ses.Server, *recipients: str, **more: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        send(ses.client(server.endpoint), *recipients, **more)
    response = caught.value.response
    return str(response["Error"]["Code"]), int(response["ResponseMetadata"]["HTTPStatusCode"])


def test_it_keeps_the_exact_bytes_and_the_recipients_of_the_request_alone(server: ses.Server) -> None:
    extra: dict[str, Any] = {
        "ConfigurationSetName": "set",
        "EmailTags": [{"Name": "a", "Value": "b"}],
        "FromEmailAddressIdentityArn": "arn:x",
    }
    id = send(
        ses.client(server.endpoint), "a@example.org", "b@example.org", FeedbackForwardingEmailAddress="e@example.com", **extra
    )
    (sent,) = server.sent
    assert (sent.id, sent.data, sent.recipients) == (id, _MAIL, ("a@example.org", "b@example.org"))
    assert (sent.sender, sent.configuration_set, sent.tags, sent.arn) == ("e@example.com", "set", {"a": "b"}, "arn:x")


def test_a_from_address_in_the_request_takes_the_place_of_the_header_as_in_sesv2(server: ses.Server) -> None:
    send(ses.client(server.endpoint), "a@example.org", FromEmailAddress="other@example.com")
    assert server.sent[0].data.startswith(b"From: other@example.com\r\nBcc:")


@pytest.mark.parametrize(
    ("recipients", "data"),
    [
        ([f"{number}@example.org" for number in range(51)], _MAIL),
        ([], _MAIL),
        (["nowhere"], _MAIL),
        (["jürgen@example.org"], _MAIL),
        (["a@example.org"], b"Subject: from nobody\r\n\r\n"),
        (["a@example.org"], _MAIL + b"x" * 1001 + b"\r\n"),
        (["a@example.org"], _MAIL + b"x\r\n" * (11 << 20)),
        (["a@example.org"], b"Subject: one\r\n" + _MAIL[:25] + b"\r\nSUBJECT: two\r\n\r\n"),
    ],
)
def test_what_ses_refuses_it_refuses(server: ses.Server, recipients: list[str], data: bytes) -> None:
    assert error_of(server, *recipients, data=data) == ("BadRequestException", 400)
    assert server.sent == []


@pytest.mark.parametrize(
    ("header", "sender", "refused"),
    [
        (b"From: Jack <jack@example.com>\r\nReply-To: x@else.example\r\n", "Jack@EXAMPLE.com", ""),
        (b"From: only@else.example\r\n", "jack@example.com", ""),
        (b"From: other@else.example\r\n", "jack@example.com", "other@else.example"),
        (b"From: jack@example.com\r\nSender: x@y.example\r\n", "jack@example.com", "x@y.example"),
        (b"From: jack@example.com\r\nReturn-Path: <x@y.example>\r\n", "jack@example.com", "x@y.example"),
        (b"From: jack@example.com\r\n", "x@y.example", "x@y.example"),
    ],
)
def test_mail_in_the_name_of_others_is_refused_once_it_knows_who_is_verified(
    server: ses.Server, header: bytes, sender: str, refused: str
) -> None:
    server.verify_only("example.com", "only@else.example")
    one = ses.client(server.endpoint)
    if not refused:
        send(one, "a@example.org", data=header + b"\r\n", FeedbackForwardingEmailAddress=sender)
        return
    with pytest.raises(ClientError, match=f"not verified.* {refused}"):
        send(one, "a@example.org", data=header + b"\r\n", FeedbackForwardingEmailAddress=sender)
    assert server.sent == []


def test_addresses_are_put_on_its_list(server: ses.Server) -> None:
    client = ses.client(server.endpoint)
    for reason in ("BOUNCE", "COMPLAINT"):
        client.put_suppressed_destination(EmailAddress=f"{reason}+1@example.org", Reason=reason)
    assert server.suppressed == {"BOUNCE+1@example.org": "BOUNCE", "COMPLAINT+1@example.org": "COMPLAINT"}
    with pytest.raises(ClientError, match="BadRequestException"):
        client.put_suppressed_destination(EmailAddress="nowhere", Reason="BOUNCE")


def test_a_request_without_signature_is_refused(server: ses.Server) -> None:
    with pytest.raises(HTTPError, match="403"):
        urlopen(HttpRequest(f"{server.endpoint}/v2/email/account", headers={"Authorization": "Basic eDp5"}))


def test_the_account_is_what_was_set(server: ses.Server) -> None:
    server.set_account(Max24HourSend=-1.0, SendingEnabled=False)
    account = ses.client(server.endpoint).get_account()
    assert account["SendQuota"]["Max24HourSend"] == -1.0
    assert account["SendingEnabled"] is False


def test_bounces_are_taken_by_the_old_interface(server: ses.Server) -> None:
    recipient = {"Recipient": "a@example.com", "BounceType": "DoesNotExist"}
    client = ses.client(server.endpoint, "ses")
    answer = client.send_bounce(OriginalMessageId="id", BounceSender="m@example.com", BouncedRecipientInfoList=[recipient])
    assert answer["MessageId"].startswith("bounce-")
    assert server.bounces[0]["BouncedRecipientInfoList.member.1.BounceType"] == "DoesNotExist"
    server.plant(ses.Fault("MessageRejected", 400, "too old & gone", operation="SendBounce"))
    with pytest.raises(ClientError, match="too old & gone"):
        client.send_bounce(OriginalMessageId="id", BounceSender="m@example.com", BouncedRecipientInfoList=[recipient])


def test_faults_strike_in_order_and_only_whom_they_are_for(server: ses.Server) -> None:
    server.plant(ses.Fault("MessageRejected", times=None, recipient="bad@example.org"), ses.Fault("NotFoundException", 404))
    assert error_of(server, "good@example.org") == ("NotFoundException", 404)
    assert error_of(server, "good@example.org", "bad@example.org") == ("MessageRejected", 400)
    send(ses.client(server.endpoint), "good@example.org")
    assert len(server.sent) == 1
    assert len(server.requests()) == 3


def test_a_throttle_ends(server: ses.Server) -> None:
    server.throttle(0.3)
    began = time.monotonic()
    assert error_of(server, "a@example.org") == ("TooManyRequestsException", 429)
    while not server.sent:
        with suppress(ClientError):
            send(ses.client(server.endpoint), "a@example.org")
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(("reset", "recorded"), [("unread", 0), ("read", 0), ("recorded", 1)])
def test_a_connection_is_reset_before_or_after_the_message_was_taken(server: ses.Server, reset: Any, recorded: int) -> None:
    server.plant(ses.Fault(reset=reset))
    with pytest.raises(ConnectionClosedError):
        send(ses.client(server.endpoint), "a@example.org")
    assert len(server.sent) == recorded
    send(ses.client(server.endpoint), "a@example.org")


def test_an_answer_can_be_late_or_no_document_of_aws(server: ses.Server) -> None:
    server.plant(ses.Fault(delay=1), ses.Fault(body="<html>Bad Gateway</html>", status=502))
    with pytest.raises(ReadTimeoutError):
        send(ses.client(server.endpoint, read_timeout=0.3), "a@example.org")
    assert error_of(server, "a@example.org") == ("502", 502)


def test_many_send_at_once(server: ses.Server) -> None:
    client = ses.client(server.endpoint)
    with ThreadPoolExecutor(10) as pool:
        ids = list(pool.map(lambda number: send(client, f"{number}@example.org"), range(100)))
    assert {sent.id for sent in server.sent} == set(ids)
    assert len(set(ids)) == 100


def test_one_in_another_process_is_arranged_and_asked_in_the_same_way() -> None:
    with ses.running_apart() as server:
        server.plant(ses.Fault("SendingPausedException"))
        with pytest.raises(ClientError, match="SendingPausedException"):
            send(ses.client(server.endpoint), "a@example.org")
        send(ses.client(server.endpoint), "a@example.org")
        (sent,) = server.wait_for(1)
        assert (sent.data, sent.recipients) == (_MAIL, ("a@example.org",))
        assert len(server.requests()) == 2
        ses.client(server.endpoint).put_suppressed_destination(EmailAddress="x@example.org", Reason="BOUNCE")
        assert server.suppressed == {"x@example.org": "BOUNCE"}
        server.verify_only("example.net")
        with pytest.raises(ClientError, match="not verified"):
            send(ses.client(server.endpoint), "a@example.org")
        server.set_account(MaxSendRate=2.0)
        assert ses.client(server.endpoint).get_account()["SendQuota"]["MaxSendRate"] == 2.0
        server.clear()
        assert server.sent == []
