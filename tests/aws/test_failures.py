"""Every error of SES means for the mail what the table says, as boto3 raises it; nothing of ours bounces anybody's mail."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError, SSLError

from sesmail.aws.failures import outcome
from sesmail.errors import Unavailable
from sesmail.mail.outcome import Outcome, Verdict
from tests.servers import ses

_REFUSALS: list[tuple[str, int, str, str]] = [
    ("TooManyRequestsException", 429, "Maximum sending rate exceeded.", "451 4.7.1"),
    ("ThrottlingException", 400, "Maximum sending rate exceeded.", "451 4.7.1"),
    ("Throttling", 400, "Maximum sending rate exceeded.", "451 4.7.1"),
    ("TooManyRequestsException", 429, "Daily message quota exceeded.", "452 4.5.3"),
    ("Throttling", 400, "Daily message quota exceeded.", "452 4.5.3"),
    ("LimitExceededException", 400, "There are too many instances.", "452 4.5.3"),
    ("AccountSuspendedException", 400, "Your account is suspended.", "550 5.7.1"),
    ("SendingPausedException", 400, "Sending paused for this account.", "451 4.7.1"),
    ("AccountSendingPausedException", 400, "Sending paused.", "451 4.7.1"),
    ("AccountSendingPaused", 400, "Sending paused.", "451 4.7.1"),
    ("ConfigurationSetSendingPausedException", 400, "Sending paused.", "451 4.7.1"),
    ("MailFromDomainNotVerifiedException", 400, "MX record missing.", "451 4.3.5"),
    ("MessageRejected", 400, "Email address is not verified. The following failed: a@example.com", "550 5.7.1"),
    ("MessageRejected", 400, "Transaction failed: virus found", "554 5.6.0"),
    ("BadRequestException", 400, "Maximum line length exceeded", "554 5.6.0"),
    ("InvalidParameterValue", 400, "Duplicate header 'From'.", "554 5.6.0"),
    ("BadRequestException", 400, "Missing final '@domain'", "501 5.1.3"),
    ("InvalidParameterValue", 400, "Local address contains control or whitespace", "501 5.1.3"),
    ("BadRequestException", 400, "Illegal address in FeedbackForwardingEmailAddress", "501 5.1.7"),
    ("InvalidParameterValue", 400, "Message length is more than 41943040 bytes long: '50000000'.", "552 5.3.4"),
    ("RequestEntityTooLargeException", 413, "", "552 5.3.4"),
    ("NotFoundException", 404, "Configuration set <x> does not exist.", "451 4.3.5"),
    ("ConfigurationSetDoesNotExist", 400, "Configuration set <x> does not exist.", "451 4.3.5"),
    ("BadRequestException", 400, "Invalid configuration set name <x y>.", "451 4.3.5"),
    ("BadRequestException", 400, "Invalid tag value <x y>.", "451 4.3.5"),
    ("BadRequestException", 400, "Invalid ARN <arn:x>.", "451 4.3.5"),
    ("AccessDeniedException", 403, "User is not authorized to perform ses:SendEmail", "451 4.3.0"),
    ("AccessDenied", 403, "denied", "451 4.3.0"),
    ("InvalidClientTokenId", 403, "The security token included in the request is invalid.", "451 4.3.0"),
    ("SignatureDoesNotMatch", 403, "The request signature does not match.", "451 4.3.0"),
    ("InvalidSignatureException", 403, "Signature expired.", "451 4.3.0"),
    ("ExpiredTokenException", 403, "The security token is expired.", "451 4.3.0"),
    ("ExpiredToken", 400, "expired", "451 4.3.0"),
    ("UnrecognizedClientException", 403, "unrecognized", "451 4.3.0"),
    ("InternalServiceErrorException", 500, "", "451 4.3.0"),
    ("InternalFailure", 500, "", "451 4.3.0"),
    ("ConcurrentModificationException", 409, "", "451 4.3.0"),
    ("ServiceUnavailable", 503, "", "451 4.3.0"),
    ("SomethingOfTomorrowException", 400, "what is this", "451 4.3.0"),
]
_OURS = {
    "LimitExceededException",
    "AccountSuspendedException",
    "SendingPausedException",
    "AccountSendingPausedException",
    "AccountSendingPaused",
    "ConfigurationSetSendingPausedException",
    "MailFromDomainNotVerifiedException",
    "NotFoundException",
    "ConfigurationSetDoesNotExist",
    "AccessDeniedException",
    "AccessDenied",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "SomethingOfTomorrowException",
}


@pytest.fixture(scope="module")
def running() -> Iterator[ses.Server]:
    with ses.running() as server:
        yield server


@pytest.fixture
def server(running: ses.Server) -> ses.Server:
    running.clear()
    return running


_client = functools.cache(ses.client)


def met(endpoint: str, **config: Any) -> Outcome:
    """What a request to there comes to."""
    client = _client(endpoint, **config)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        client.send_email(
            Content={"Raw": {"Data": b"From: a@example.com\r\n\r\n"}}, Destination={"BccAddresses": ["b@example.org"]}
        )
    return outcome(caught.value)


@pytest.mark.parametrize(("code", "status", "message", "reply"), _REFUSALS)
def test_each_error_has_its_reply(server: ses.Server, code: str, status: int, message: str, reply: str) -> None:
    server.plant(ses.Fault(code, status, message))
    got = met(server.endpoint)
    assert got.reply.startswith(f"{reply} ")
    assert len(server.requests()) == 1
    if code in _OURS:
        assert code in (got.alarm or "")
    if "4.3.5" in reply:
        assert got.alarm


def test_what_may_be_meant_for_one_recipient_says_so_and_nothing_else_does(server: ses.Server) -> None:
    for code, status, message, reply in _REFUSALS:
        server.plant(ses.Fault(code, status, message))
        assert met(server.endpoint).content == (
            reply[:3] in ("550", "554", "501") and not code.startswith("AccountSuspended")
        ), code


def test_the_text_of_ses_is_shown_where_the_mail_is_at_fault_and_only_there(server: ses.Server) -> None:
    server.plant(
        ses.Fault("MessageRejected", 400, "no such thing\r\n250 ok"), ses.Fault("AccessDenied", 403, "arn:aws:iam::1:user/me")
    )
    assert met(server.endpoint).reply == "554 5.6.0 no such thing 250 ok"
    assert "arn" not in met(server.endpoint).reply


def test_a_daily_quota_is_not_asked_again_every_minute(server: ses.Server) -> None:
    server.plant(ses.Fault("Throttling", 400, "Daily message quota exceeded."))
    assert (met(server.endpoint).wait or 0) >= 300


def test_a_wait_that_the_server_names_is_kept_within_reason(server: ses.Server) -> None:
    for seconds, wait in (("7", 7.0), ("86400000", 3600.0), ("-1", None), ("soon", None)):
        server.plant(ses.Fault("TooManyRequestsException", 429, headers={"Retry-After": seconds}))
        assert met(server.endpoint).wait == wait


@pytest.mark.parametrize("reset", ["unread", "read", "recorded"])
def test_a_request_that_breaks_off_is_tried_again(server: ses.Server, reset: Any) -> None:
    server.plant(ses.Fault(reset=reset))
    got = met(server.endpoint)
    assert got.reply.startswith("451 4.4.1")
    assert got.alarm is None


def test_an_answer_that_never_comes_is_tried_again(server: ses.Server) -> None:
    server.plant(ses.Fault(delay=1))
    assert met(server.endpoint, read_timeout=0.2).reply.startswith("451 4.4.1")


@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", "", "{", '{"message": null}', "[]"])
@pytest.mark.parametrize("status", [502, 503])
def test_a_proxy_that_answers_instead_is_tried_again(server: ses.Server, status: int, body: str) -> None:
    server.plant(ses.Fault(body=body, status=status))
    assert met(server.endpoint).verdict is Verdict.LATER


def test_nobody_there_is_tried_again() -> None:
    assert met("http://127.0.0.1:9").reply.startswith("451 4.4.1")
    assert met("http://no-such-host.invalid").reply.startswith("451 4.4.1")


@pytest.mark.parametrize(
    "error",
    [
        NoCredentialsError(),
        Unavailable(cause="no profile of that name"),
        SSLError(endpoint_url="https://x", error="certificate verify failed"),
        ParamValidationError(report="Missing required parameter"),
        KeyError("MessageId"),
        ClientError({}, "SendEmail"),
        ClientError({"Error": {"Code": None, "Message": None}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "SendEmail"),
    ],
)
def test_what_never_reached_ses_is_an_alarm_and_no_bounce(error: Exception) -> None:
    got = outcome(error)
    assert got.verdict is Verdict.LATER
    assert got.alarm
