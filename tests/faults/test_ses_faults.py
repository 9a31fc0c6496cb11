"""Trouble at SES, as a mail program meets it: each client hears the right reply, nothing is lost, and nobody asks SES in a hurry."""

from __future__ import annotations

import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import gateway, ses
from tests.servers.ports import free_port, wait_until

_NAME, _PASSWORD = "jack@example.com", "open sesame"
_HEAD = f"From: {_NAME}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <m@example.com>\r\n"
_A, _B, _C = "a@example.org", "b@example.org", "c@example.org"


class Post:
    """A gateway that sends through an SES, and what became of what was sent."""

    def __init__(self, server: ses.Server, running: gateway.Gateway, folder: Path) -> None:
        self.ses = server
        self.gateway = running
        self._folder = folder
        self._port = running.ports[1]

    def send(self, *recipients: str, subject: str = "hello") -> tuple[int, str]:
        """What the client hears in the end."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP_SSL("127.0.0.1", self._port, timeout=60, context=context) as client:
            client.login(_NAME, _PASSWORD)
            client.mail(_NAME)
            for address in recipients:
                assert client.rcpt(address)[0] == 250
            code, text = client.data(f"{_HEAD}Subject: {subject}\r\n\r\n.\r\n".encode())
            return code, text.decode()

    def arrived(self, subject: str) -> list[ses.Sent]:
        """What SES has of this."""
        return [sent for sent in self.ses.sent if f"Subject: {subject}\r\n".encode() in sent.data]

    def wait_for(self, subject: str, seconds: float = 30) -> list[ses.Sent]:
        """As `arrived`, when something has."""
        wait_until(lambda: bool(self.arrived(subject)), seconds=seconds, what=self.gateway.log)
        return self.arrived(subject)

    def queue(self, *arguments: str) -> str:
        """What ``sesmail queue`` says."""
        command = [sys.executable, "-m", "sesmail.cli.main", "queue", *arguments, "--config", str(self.gateway.config_file)]
        environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout

    def waiting(self) -> int:
        """Messages in the spool."""
        return len(list((self.gateway.directory / "state/spool/queue").iterdir()))

    def returned(self) -> list[bytes]:
        """What lies in the sender's own mailbox."""
        return [file.read_bytes() for file in self._folder.rglob("*.eml")]


def config(server: ses.Server, folder: Path) -> dict[str, Any]:
    tls = {"tls": "implicit"}
    return {
        "storage": {"url": folder.as_uri()},
        "mailboxes": {"domains": ["example.com"], "default_domain": "example.com"},
        "auth": {"users": [{"name": _NAME, "password": _PASSWORD}]},
        "tls": {"self_signed": True},
        "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", **tls}]},
        "submission": {
            "listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", **tls}],
            "hostname": "mail.example.com",
            "check_domains": False,
            "hold": "10s",
        },
        "relay": {"courier": "ses", "retry_first": "1s", "retry_longest": "2s"},
        "ses": {
            "endpoint": server.endpoint,
            "region": "eu-west-1",
            "access_key_id": "AKIATESTS",
            "secret_access_key": "of-the-tests",
            "read_timeout": "1s",
        },
    }


@contextmanager
def posting(folder: Path) -> Iterator[Post]:
    """A post of its own."""
    with ses.running() as server, gateway.running(config(server, folder)) as started:
        yield Post(server, started, folder)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    with posting(tmp_path_factory.mktemp("store")) as post:
        yield post


@pytest.fixture
def post(running: Post) -> Iterator[Post]:
    running.ses.clear()
    yield running
    running.ses.heal()
    if running.waiting():
        running.queue("retry", "--all")
    wait_until(lambda: running.waiting() == 0, seconds=60, what=running.gateway.log)


@pytest.mark.parametrize(
    ("code", "status", "message", "reply"),
    [
        ("AccountSuspendedException", 400, "suspended", (550, "5.7.1")),
        ("MessageRejected", 400, "Email address is not verified: jack@example.com", (550, "5.7.1")),
        ("MessageRejected", 400, "virus", (554, "5.6.0")),
        ("BadRequestException", 400, "Maximum line length exceeded", (554, "5.6.0")),
        ("BadRequestException", 400, "Missing final '@domain'", (501, "5.1.3")),
        ("InvalidParameterValue", 400, "Message length is more than 41943040 bytes long: '5'.", (552, "5.3.4")),
    ],
)
def test_a_refusal_is_what_the_client_hears_and_nothing_stays(
    post: Post, code: str, status: int, message: str, reply: tuple[int, str]
) -> None:
    post.ses.plant(ses.Fault(code, status, message, times=None))
    before = len(post.returned())
    heard, text = post.send(_A)
    assert (heard, text[:5]) == reply
    assert post.waiting() == 0
    assert len(post.ses.requests()) == 1
    assert len(post.returned()) == before


def test_trouble_is_a_250_and_the_mail_goes_when_it_is_over(post: Post) -> None:
    troubles = [
        ("TooManyRequestsException", 429, "Maximum sending rate exceeded."),
        ("SendingPausedException", 400, "paused"),
        ("AccountSendingPausedException", 400, "paused"),
        ("ConfigurationSetSendingPausedException", 400, "paused"),
        ("MailFromDomainNotVerifiedException", 400, "no MX"),
        ("NotFoundException", 404, "Configuration set <x> does not exist."),
        ("AccessDeniedException", 403, "no ses:SendEmail"),
        ("InvalidClientTokenId", 403, "who?"),
        ("SignatureDoesNotMatch", 403, "no"),
        ("ExpiredTokenException", 403, "old"),
        ("UnrecognizedClientException", 403, "who?"),
        ("InternalServiceErrorException", 500, ""),
        ("ConcurrentModificationException", 409, ""),
        ("SomethingOfTomorrowException", 400, "what?"),
    ]
    for code, status, message in troubles:
        post.ses.plant(ses.Fault(code, status, message, times=1, recipient=f"{code}@example.org"))
        heard, text = post.send(f"{code}@example.org", _B, subject=f"through {code}")
        assert heard == 250, code
        assert "queued as" in text, code
    for code, *_ in troubles:
        (sent,) = post.wait_for(f"through {code}")
        assert sent.recipients == (f"{code}@example.org", _B)
        assert len([request for request in post.ses.requests() if f"{code}@example.org" in request.recipients]) == 2, code


@pytest.mark.parametrize("reset", ["unread", "read"])
def test_a_reset_before_ses_has_it_sends_it_once(post: Post, reset: Any) -> None:
    post.ses.plant(ses.Fault(reset=reset))
    assert post.send(_A, subject=f"reset {reset}")[0] == 250
    post.wait_for(f"reset {reset}")
    wait_until(lambda: post.waiting() == 0, seconds=30, what=post.gateway.log)
    assert len(post.arrived(f"reset {reset}")) == 1


def test_an_answer_that_is_lost_doubles_a_message_and_loses_none(post: Post) -> None:
    # Only SES knows that it has the message: it has no token by which a second request would be known for the first.
    post.ses.plant(ses.Fault(reset="recorded"))
    assert post.send(_A, subject="answer lost")[0] == 250
    wait_until(lambda: post.waiting() == 0, seconds=30, what=post.gateway.log)
    assert len(post.arrived("answer lost")) == 2


def test_a_silent_ses_is_given_up_and_tried_again(post: Post) -> None:
    post.ses.plant(ses.Fault("InternalServiceErrorException", 500, delay=3))
    began = time.monotonic()
    heard, text = post.send(_A, subject="silence")
    assert (heard, "queued as" in text) == (250, True)
    assert time.monotonic() - began < 8
    assert len(post.wait_for("silence")) == 1


def test_an_ses_that_is_away_keeps_nobody_from_sending(post: Post) -> None:
    post.ses.plant(ses.Fault(reset="unread", times=None))
    assert [post.send(_A, subject=f"away {number}")[0] for number in range(3)] == [250] * 3
    assert post.waiting() == 3
    post.ses.heal()
    for number in range(3):
        assert len(post.wait_for(f"away {number}")) == 1


@pytest.mark.parametrize("throttle", [8.0, pytest.param(60.0, marks=[pytest.mark.proof, pytest.mark.limit(300)])])
def test_a_throttle_is_met_with_patience(post: Post, throttle: float) -> None:
    post.ses.throttle(throttle)
    began = time.monotonic()
    for number in range(6):
        assert post.send(_A, subject=f"throttled {number}")[0] == 250
    time.sleep(max(0.0, throttle - (time.monotonic() - began)))
    # Each message may ask at once and then every second or two; a busy loop would ask hundreds of times.
    assert len(post.ses.requests()) <= 6 * (1 + throttle)
    for number in range(6):
        assert len(post.wait_for(f"throttled {number}", 60 + 2 * throttle)) == 1


def test_a_daily_quota_keeps_mail_and_asks_no_more_for_a_while(tmp_path: Path) -> None:
    with posting(tmp_path) as post:
        post.ses.plant(ses.Fault("TooManyRequestsException", 429, "Daily message quota exceeded.", times=1))
        heard, text = post.send(_A)
        assert (heard, "queued as" in text) == (250, True)
        assert post.send(_B)[0] == 250
        time.sleep(4)
        assert len(post.ses.requests()) == 1
        assert post.waiting() == 2
        assert _A in post.queue("show", text.rpartition(" ")[2])


def test_one_bad_address_is_reported_and_costs_nobody_else_his_mail(post: Post) -> None:
    post.ses.plant(ses.Fault("BadRequestException", 400, "Illegal address", times=None, recipient=_B))
    before = len(post.returned())
    assert post.send(_A, _B, _C, subject="one is bad")[0] == 250
    assert sorted(sent.recipients for sent in post.arrived("one is bad")) == [(_A,), (_C,)]
    wait_until(lambda: len(post.returned()) > before, seconds=30, what=post.gateway.log)
    (report,) = [mail for mail in post.returned() if b"Illegal address" in mail]
    assert f"Final-Recipient: rfc822; {_B}".encode() in report
    assert b"Status: 5.1.3" in report
    assert _A.encode() not in report.partition(b"text/rfc822-headers")[0]


def test_what_the_operator_must_mend_is_in_the_log(post: Post) -> None:
    post.ses.plant(ses.Fault("OptInRequired", 403, "subscribe first"))
    assert post.send(_A, subject="alarm")[0] == 250
    post.gateway.wait_for_log(r"mail waits for you to mend this: OptInRequired: subscribe first")
    assert len(post.wait_for("alarm")) == 1
