"""What SES tells of mail that was sent is in its author's mailbox: once, however often it is told, and never in a circle."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from sesmail.aws.events import events
from sesmail.aws.feedback import Feedback, Kind, Recipient
from sesmail.aws.receipt import Incoming
from sesmail.aws.ses import Ses, SesPlace
from sesmail.aws.suppression import Suppression
from sesmail.delivery.reports import Reports
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from tests.aws import sesevents
from tests.aws.sesevents import OUTGOING_ID
from tests.delivery.sorting import TOM, Office, directory
from tests.servers import ses

HOST = "mail.example.com"
COMPLAINT = {
    "complainedRecipients": [{"emailAddress": "a@else.example"}, {"emailAddress": "b@else.example"}],
    "timestamp": sesevents.RECEIVED,
    "feedbackId": sesevents.FEEDBACK_ID,
    "complaintFeedbackType": "abuse",
}


def told(document: object) -> Feedback:
    (found,) = events(document, Incoming("inbox"))
    assert isinstance(found, Feedback)
    return found


def bounced(**changed: Any) -> Feedback:
    return told(sesevents.outgoing("Bounce", "bounce", sesevents.bounce(**changed)))


def complained() -> Feedback:
    return told(sesevents.outgoing("Complaint", "complaint", COMPLAINT))


def rejected() -> Feedback:
    return told(sesevents.outgoing("Reject", "reject", {"reason": "Bad content"}, published=True))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "mail"))


def reports(office: Office, **more: Any) -> Reports:
    return Reports(office.local().deliver, hostname=HOST, domains=["example.com"], **more)


def mail(office: Office, person: str = "tom") -> list[Any]:
    keys = [key for key in office.listed(f"mail/example.com/{person}/") if key.endswith(".eml")]
    return [email.message_from_bytes(office.read(key), policy=email.policy.default) for key in keys]


class Box:
    """A Deliver that says one thing, and remembers."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome = outcome or Outcome(250, "2.1.5", "Ok")
        self.got: list[tuple[Envelope, bytes]] = []

    def deliver(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        self.got.append((envelope, message.read()))
        return dict.fromkeys(envelope.recipients, self.outcome)

    def reports(self, **more: Any) -> Reports:
        return Reports(self.deliver, hostname=HOST, domains=["example.com"], **more)


def test_a_bounce_is_a_report_in_the_mailbox_of_whom_the_message_was_from(office: Office) -> None:
    reports(office).take(bounced())
    (report,) = mail(office)
    assert (report["Return-Path"], report["To"], report.get_content_type()) == ("<>", TOM, "multipart/report")
    words, status, header = report.iter_parts()
    assert "550 5.1.1 <a@else.example>... User unknown" in words.get_content()
    assert "Sat, 21 Nov 2026 09:08:06 +0000" in words.get_content()
    per_message, per_recipient = status.get_payload()
    assert per_message["Reporting-MTA"] == f"dns; {HOST}"
    assert (per_recipient["Final-Recipient"], per_recipient["Status"]) == ("rfc822; a@else.example", "5.1.1")
    assert f"X-SES-Message-ID: {OUTGOING_ID}" in header.get_content()
    assert "Subject: Gr" in header.get_content()


def test_what_is_told_twice_is_one_report(office: Office) -> None:
    for feedback in (bounced(), bounced(), complained(), complained(), rejected(), rejected()):
        reports(office).take(feedback)
    assert len(mail(office)) == 3


def test_other_bounces_are_other_reports(office: Office) -> None:
    other = [{"emailAddress": "b@else.example", "status": "5.1.1"}]
    for feedback in (bounced(), bounced(bouncedRecipients=other), bounced(feedbackId="another")):
        reports(office).take(feedback)
    assert len(mail(office)) == 3


def test_a_complaint_is_told_in_words(office: Office) -> None:
    reports(office).take(complained())
    (message,) = mail(office)
    assert message.get_content_type() == "text/plain"
    assert "unwanted (abuse) by:\n\n    a@else.example\n    b@else.example\n" in message.get_content().replace("\r\n", "\n")


def test_a_rejected_message_is_reported_for_all_of_its_recipients(office: Office) -> None:
    reports(office).take(rejected())
    (report,) = mail(office)
    assert report.as_bytes().count(b"Final-Recipient") == 2
    assert b"550 5.0.0 reject, Bad content" in report.as_bytes()


@pytest.mark.parametrize(
    ("status", "diagnostic", "permanent", "reply"),
    [
        ("5.1.1", "smtp; 550 5.1.1 no such user", True, "550 5.1.1 no such user"),
        ("5.2.2", "smtp;552-5.2.2 full", True, "552 5.2.2 full"),
        ("", "smtp; 554 5.7.1 go away", True, "554 5.7.1 go away"),
        ("4.4.7", "smtp; 550 5.4.7 expired", False, "450 4.4.7 expired"),
        ("", "451 try later", False, "451 4.0.0 try later"),
        ("2.0.0", "smtp; 250 fine", True, "550 5.0.0 250 fine"),
        ("", "", True, "550 5.0.0 bounce, Permanent/General"),
        ("", "x-unix; 67", False, "450 4.0.0 x-unix; 67"),
        ("5.0.0", "smtp; 550", True, "550 5.0.0 bounce, Permanent/General"),
    ],
)
def test_a_reply_is_told_as_far_as_it_makes_sense(status: str, diagnostic: str, permanent: bool, reply: str) -> None:
    box = Box()
    feedback = replace(bounced(), recipients=(Recipient("a@else.example", status, diagnostic),), permanent=permanent)
    box.reports().take(feedback)
    assert f"smtp; {reply}\r\n".encode() in box.got[0][1]


@pytest.mark.parametrize(
    "sender", ["", "tom@else.example", "tom@sub.example.com", "MAILER-DAEMON@example.com", "Forwarder@example.com"]
)
def test_who_is_not_to_be_told_is_not_told_and_the_log_says_so(sender: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    box = Box()
    for feedback in (bounced(), complained(), rejected()):
        box.reports(silent=["forwarder@example.com"]).take(replace(feedback, sender=sender))
    assert box.got == []
    assert len(caplog.records) == 5
    assert all('told="nobody, as ' in record.getMessage() for record in caplog.records)


def test_without_reports_there_is_a_line_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    box = Box()
    box.reports(report=False).take(bounced())
    assert box.got == []
    assert caplog.records[0].getMessage() == (
        f"returned id={OUTGOING_ID} sender=tom@example.com to=a@else.example "
        'reply="550 5.1.1 <a@else.example>... User unknown" told="nobody, as there is no report"'
    )


def test_a_delivery_and_a_delay_are_no_reports(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for kind in (Kind.DELIVERY, Kind.DELAY):
        reports(office).take(replace(bounced(), kind=kind))
    assert mail(office) == []
    assert [record.name for record in caplog.records] == ["sesmail.delivery.reports"]


def test_a_mailbox_in_trouble_gets_its_report_when_it_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    box = Box(Outcome(451, "4.3.0", "not now"))
    with pytest.raises(Unavailable):
        box.reports().take(bounced())
    assert caplog.records == []
    box.outcome = Outcome(250, "2.1.5", "Ok")
    box.reports().take(bounced())
    assert box.got[0] == box.got[1]
    assert "told=tom@example.com" in caplog.records[0].getMessage()


def test_an_author_who_has_left_ends_it(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    office.people.clear()
    reports(office).take(bounced())
    assert 'told="nobody: 550 5.1.1' in caplog.records[-1].getMessage()


@pytest.fixture
def server() -> Iterator[ses.Server]:
    with ses.running() as running:
        yield running


@pytest.fixture
def suppression(server: ses.Server) -> Suppression:
    return Suppression(Ses(SesPlace("eu-west-1", server.endpoint, Keys("AKIATESTS", "of-the-tests"))).client)


def test_who_complained_and_who_does_not_exist_is_written_to_no_more(server: ses.Server, suppression: Suppression) -> None:
    one = Box().reports(suppress=suppression.put)
    one.take(bounced(bounceType="Transient"))
    one.take(replace(bounced(), sender="tom@else.example"))
    one.take(rejected())
    assert server.suppressed == {}
    one.take(bounced())
    assert server.suppressed == {"a@else.example": "BOUNCE"}
    one.take(complained())
    assert server.suppressed == {"a@else.example": "COMPLAINT", "b@else.example": "COMPLAINT"}


def test_a_list_in_trouble_is_asked_again_before_there_is_a_report(server: ses.Server, suppression: Suppression) -> None:
    server.plant(ses.Fault("TooManyRequestsException", 429, operation="PutSuppressedDestination"))
    box = Box()
    with pytest.raises(Unavailable):
        box.reports(suppress=suppression.put).take(bounced())
    assert box.got == []
    box.reports(suppress=suppression.put).take(bounced())
    assert len(box.got) == len(server.suppressed) == 1


@pytest.mark.parametrize(("code", "status"), [("AccessDeniedException", 403), ("BadRequestException", 400)])
def test_a_list_that_may_not_be_used_keeps_nobody_from_his_report(
    server: ses.Server, suppression: Suppression, code: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.plant(ses.Fault(code, status, operation="PutSuppressedDestination"))
    box = Box()
    box.reports(suppress=suppression.put).take(bounced())
    assert len(box.got) == 1
    assert "a@else.example is not on the suppression list" in caplog.text
