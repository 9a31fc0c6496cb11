"""Mail goes out through the API of SES: these bytes, to these recipients, once."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sesmail.aws.ses import Ses, SesPlace
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.ses import SesCourier, SesSettings, quota
from tests.servers import ses

_MAIL = b"From: Jack Example <jack@example.com>\r\nTo: All <all@example.org>\r\n\r\n\xe4\0..\r\n.\r\nlast line without end"


@pytest.fixture(scope="module")
def running() -> Iterator[ses.Server]:
    with ses.running() as server:
        yield server


@pytest.fixture
def server(running: ses.Server) -> ses.Server:
    running.clear()
    return running


def courier(server: ses.Server, settings: SesSettings | None = None, *, read_timeout: float = 10) -> SesCourier:
    place = SesPlace("eu-west-1", server.endpoint, Keys("AKIATESTS", "of-the-tests"))
    return SesCourier(Ses(place, read_timeout=read_timeout).client, settings or SesSettings())


def send(courier: SesCourier, *recipients: str, data: bytes = _MAIL) -> Mapping[str, Outcome]:
    return courier.send(Envelope("jack+list@example.com", recipients), io.BytesIO(data))


def replies(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {address: outcome.reply[:9] for address, outcome in outcomes.items()}


def test_the_bytes_go_out_as_they_are_to_the_recipients_of_the_envelope_alone(server: ses.Server) -> None:
    outcomes = send(courier(server), "bcc@example.net", '"odd name"@example.net')
    (sent,) = server.sent
    assert sent.data == _MAIL
    assert sent.recipients == ("bcc@example.net", '"odd name"@example.net')
    assert sent.sender == "jack+list@example.com"
    assert {outcome.id for outcome in outcomes.values()} == {sent.id}
    assert set(replies(outcomes).values()) == {"250 2.0.0"}


def test_nobody_is_named_to_others(server: ses.Server) -> None:
    send(courier(server), "all@example.org", "secret@example.net")
    (sent,) = server.sent
    assert set(sent.destination) == {"BccAddresses"}
    assert b"secret" not in sent.data


def test_configuration_set_tags_and_identity_go_with_every_message(server: ses.Server) -> None:
    send(courier(server, SesSettings("our-set", (("team", "post"), ("host", "a")), "arn:aws:ses:x")), "a@example.org")
    (sent,) = server.sent
    assert (sent.configuration_set, sent.tags, sent.arn) == ("our-set", {"team": "post", "host": "a"}, "arn:aws:ses:x")


def test_a_hundred_and_twenty_recipients_take_three_requests(server: ses.Server) -> None:
    everybody = [f"{number}@example.org" for number in range(120)]
    assert set(replies(send(courier(server), *everybody)).values()) == {"250 2.0.0"}
    assert [len(sent.recipients) for sent in server.sent] == [50, 50, 20]
    assert [address for sent in server.sent for address in sent.recipients] == everybody


def test_one_address_that_ses_refuses_does_not_keep_mail_from_the_others(server: ses.Server) -> None:
    server.plant(
        ses.Fault("MessageRejected", 400, "Email address is not verified: b@example.org", times=None, recipient="b@example.org")
    )
    outcomes = send(courier(server), "a@example.org", "b@example.org", "c@example.org")
    assert replies(outcomes) == {"a@example.org": "250 2.0.0", "b@example.org": "550 5.7.1", "c@example.org": "250 2.0.0"}
    assert [sent.recipients for sent in server.sent] == [("a@example.org",), ("c@example.org",)]


def test_a_throttled_attempt_makes_one_request(server: ses.Server) -> None:
    server.throttle(60)
    everybody = [f"{number}@example.org" for number in range(120)]
    assert set(replies(send(courier(server), *everybody)).values()) == {"451 4.7.1"}
    assert len(server.requests()) == 1


@pytest.mark.parametrize("reset", ["unread", "read", "recorded"])
def test_an_attempt_that_breaks_off_is_not_repeated_by_the_client(server: ses.Server, reset: Any) -> None:
    sender = courier(server)
    send(sender, "first@example.org")
    server.plant(ses.Fault(reset=reset))
    assert replies(send(sender, "a@example.org")) == {"a@example.org": "451 4.4.1"}
    assert [request.recipients for request in server.requests()].count(("a@example.org",)) == (reset != "unread")
    assert replies(send(sender, "b@example.org")) == {"b@example.org": "250 2.0.0"}


@pytest.mark.parametrize(("code", "status"), [("InternalServiceErrorException", 500), ("ThrottlingException", 400), ("", 503)])
def test_an_error_is_not_asked_for_twice_by_the_client(server: ses.Server, code: str, status: int) -> None:
    server.plant(ses.Fault(code, status, body=None if code else "<html>"))
    assert replies(send(courier(server), "a@example.org"))["a@example.org"].startswith("45")
    assert len(server.requests()) == 1


def test_the_environment_does_not_bring_repetition_back(server: ses.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    server.plant(ses.Fault("InternalServiceErrorException", 500))
    send(courier(server), "a@example.org")
    assert len(server.requests()) == 1


def test_a_silent_ses_is_given_up_in_time(server: ses.Server) -> None:
    server.plant(ses.Fault(delay=1.5))
    assert replies(send(courier(server, read_timeout=0.3), "a@example.org")) == {"a@example.org": "451 4.4.1"}
    # It goes through all the same: this is the attempt whose end nobody can know.
    server.wait_for(1)


def test_ses_takes_no_null_sender_and_is_not_asked_to(server: ses.Server) -> None:
    outcomes = courier(server).send(Envelope("", ("a@example.org",)), io.BytesIO(_MAIL))
    assert replies(outcomes) == {"a@example.org": "550 5.1.7"}
    assert server.requests() == []


def test_without_credentials_mail_waits_and_goes_when_there_are_some(server: ses.Server) -> None:
    place = SesPlace("eu-west-1", server.endpoint, profile="nobody-made-it")
    waiting = Ses(place)
    with pytest.raises(Unavailable):
        waiting.client()
    assert replies(send(SesCourier(waiting.client), "a@example.org")) == {"a@example.org": "451 4.3.0"}
    assert server.requests() == []


def test_a_wrong_region_is_no_host_name() -> None:
    with pytest.raises(Unavailable):
        Ses(SesPlace("evil.example/#")).client()


def test_what_the_operator_must_mend_is_said_once_and_not_for_every_mail(
    server: ses.Server, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    place = SesPlace("eu-west-1", server.endpoint)
    sender = SesCourier(Ses(place).client, clock=lambda: now[0])
    server.plant(ses.Fault("AccessDeniedException", 403, "no ses:SendEmail for you", times=None))
    for now[0] in (0.0, 1.0, 200.0, 301.0):
        send(sender, "a@example.org")
    alarms = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(alarms) == 2
    assert "AccessDeniedException: no ses:SendEmail for you" in alarms[0]
    assert "2 more" in alarms[1]


def test_large_and_small_mail_from_many_threads_arrives_whole(server: ses.Server) -> None:
    sender = courier(server)
    sizes = {f"{number}@example.org": 3 << 20 if number % 4 == 0 else 9 for number in range(16)}
    mails = {address: _MAIL + f"\r\n{address}".encode() * (size // 16) for address, size in sizes.items()}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: send(sender, item[0], data=item[1]), mails.items()))
    assert {sent.recipients[0]: sent.data for sent in server.sent} == mails


def test_the_quota_is_what_the_account_has(server: ses.Server) -> None:
    server.set_account(Max24HourSend=200.0, MaxSendRate=1.0, SentLast24Hours=17.0)
    client = ses.client(server.endpoint)
    got = quota(client)
    assert (got.per_second, got.per_day, got.sent_last_day, got.enabled) == (1.0, 200.0, 17.0, True)
    server.set_account(Max24HourSend=-1.0, SendingEnabled=False)
    got = quota(client)
    assert (got.per_day, got.enabled) == (None, False)


def test_a_quota_that_cannot_be_asked_for_is_trouble_and_no_zero(server: ses.Server) -> None:
    server.plant(ses.Fault("AccessDeniedException", 403, operation="GetAccount"))
    with pytest.raises(Unavailable):
        quota(ses.client(server.endpoint))
    server.plant(ses.Fault(body="{}", status=200, operation="GetAccount"))
    with pytest.raises(Unavailable):
        quota(ses.client(server.endpoint))
