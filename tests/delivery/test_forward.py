"""Mail is sent on through SES, by its rules: from a verified address, the body as it is, with an outcome for each address."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import pytest

from sesmail.aws.ses import Ses, SesPlace
from sesmail.delivery.forward import HEADER_OCTETS, ForwardAgent
from sesmail.delivery.plan import Forward
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.interfaces import Keys
from sesmail.mail.envelope import Envelope
from sesmail.mail.headers import Field, end_of_header, fields
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay.ses import SesCourier
from tests.delivery.given import MAIL, Given, step
from tests.servers import ses

US = "forwarder@example.com"
ANN, BEN = step(Forward("ann@elsewhere.example")), step(Forward("ben@elsewhere.example"), "ben@example.com")
_STAMPED = (
    b"Return-Path: <jack@else.example>\r\nReceived: from x by inbound-smtp.eu-west-1.amazonaws.com; now\r\n"
    b"X-SES-RECEIPT: AEFBQUFBQUFBQUE=\r\nDKIM-Signature: v=1; d=else.example\r\nSender: list@else.example\r\n"
)


@pytest.fixture(scope="module")
def running() -> Iterator[ses.Server]:
    with ses.running() as server:
        yield server


@pytest.fixture
def server(running: ses.Server) -> ses.Server:
    running.clear()
    running.verify_only("example.com")
    return running


@pytest.fixture
def agent(server: ses.Server) -> ForwardAgent:
    courier = SesCourier(Ses(SesPlace("eu-west-1", server.endpoint, Keys("AKIATESTS", "of-the-tests"))).client)
    return ForwardAgent(courier.send, forward_from=US, gateway="mail.example.com")


class Hop:
    """Carries nothing, and remembers."""

    def __init__(self, outcomes: Mapping[str, Outcome] | Exception | None = None) -> None:
        self.outcomes = outcomes
        self.got: list[tuple[Envelope, bytes]] = []

    def agent(self) -> ForwardAgent:
        return ForwardAgent(self.send, forward_from=US, gateway="mail.example.com")

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        message.read(10)
        message.seek(0)
        self.got.append((envelope, message.read()))
        if isinstance(self.outcomes, Exception):
            raise self.outcomes
        return dict.fromkeys(envelope.recipients, Outcome(250, "2.0.0", "Ok")) if self.outcomes is None else self.outcomes


def split(data: bytes) -> tuple[list[Field], bytes]:
    end = end_of_header(data)
    return list(fields(data[:end])), data[end:]


def test_ses_takes_it_and_the_body_is_as_it_was(server: ses.Server, agent: ForwardAgent) -> None:
    outcomes = agent.deliver([ANN, BEN], Given(_STAMPED + MAIL))
    assert {name: outcome.verdict for name, outcome in outcomes.items()} == dict.fromkeys(
        [ANN.name, BEN.name], Verdict.ACCEPTED
    )
    (sent,) = server.sent
    assert (sent.sender, sent.recipients) == (US, ("ann@elsewhere.example", "ben@elsewhere.example"))
    header, body = split(sent.data)
    assert body == split(MAIL)[1]
    shown = {field.name: field.value for field in header}
    assert shown[b"from"] == b'"Jack via example.com" <forwarder@example.com>'
    assert shown[b"reply-to"] == shown[b"x-original-from"] == b"Jack <jack@else.example>"
    assert not {b"sender", b"return-path", b"dkim-signature", b"x-ses-receipt"} & set(shown)
    assert b"To: tom@example.com\r\nSubject: hello\r\n\r\n" in sent.data


def test_ses_would_not_take_it_as_it_was(server: ses.Server) -> None:
    courier = SesCourier(Ses(SesPlace("eu-west-1", server.endpoint, Keys("AKIATESTS", "of-the-tests"))).client)
    outcomes = courier.send(Envelope(US, ("ann@elsewhere.example",)), io.BytesIO(_STAMPED + MAIL))
    assert outcomes["ann@elsewhere.example"].reply.startswith("550 5.7.1 Email address is not verified")


def test_a_report_is_sent_on_under_our_address_and_nothing_is_returned_for_it() -> None:
    hop = Hop()
    hop.agent().deliver(
        [ANN], Given(b"From: MAILER-DAEMON@else.example\r\nAuto-Submitted: auto-replied\r\n\r\nx\r\n", sender="")
    )
    ((envelope, data),) = hop.got
    assert (envelope.sender, envelope.returns) == (US, "")
    assert b"Auto-Submitted: auto-replied\r\n" in data


def test_only_who_did_not_get_it_is_tried_again(server: ses.Server, agent: ForwardAgent) -> None:
    server.plant(ses.Fault("MessageRejected", 400, "Address blacklisted", times=None, recipient="ben@elsewhere.example"))
    outcomes = agent.deliver([ANN, BEN], Given())
    assert [outcomes[one.name].verdict for one in (ANN, BEN)] == [Verdict.ACCEPTED, Verdict.REFUSED]
    server.heal()
    assert agent.deliver([BEN], Given())[BEN.name].verdict is Verdict.ACCEPTED
    assert [sent.recipients for sent in server.sent] == [("ann@elsewhere.example",), ("ben@elsewhere.example",)]


@pytest.mark.parametrize(
    "fault",
    [
        ses.Fault("TooManyRequestsException", 429, "Maximum sending rate exceeded."),
        ses.Fault("AccessDeniedException", 403, "no"),
        ses.Fault(reset="read"),
        ses.Fault("InternalFailure", 500),
    ],
)
def test_trouble_with_ses_means_later_for_all(server: ses.Server, agent: ForwardAgent, fault: ses.Fault) -> None:
    server.plant(fault)
    assert {outcome.verdict for outcome in agent.deliver([ANN, BEN], Given()).values()} == {Verdict.LATER}


def test_without_an_address_of_ours_mail_waits_with_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    hop = Hop()
    outcome = ForwardAgent(hop.send, forward_from=None, gateway="mail.example.com").deliver([ANN], Given())[ANN.name]
    assert outcome.verdict is Verdict.LATER
    assert "mend this: forward_from: " in caplog.text
    assert hop.got == []


def test_circles_end_with_a_refusal() -> None:
    hop = Hop()
    data = MAIL
    for _ in range(3):
        assert hop.agent().deliver([ANN], Given(data))[ANN.name].verdict is Verdict.ACCEPTED
        data = hop.got[-1][1]
    assert hop.agent().deliver([ANN], Given(data))[ANN.name].reply == "554 5.4.6 the message goes in circles"
    assert len(hop.got) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\nno header\r\n",
        b"no field here\r\n\r\n",
        b"X: " + b"y" * HEADER_OCTETS + b"\r\n\r\n",
        b"From: a@b.example\r\nFrom: c@d.example\r\n\r\n",
        bytes(range(256)) * 2000,
    ],
)
def test_what_is_no_mail_is_refused_and_not_sent(data: bytes) -> None:
    hop = Hop()
    assert hop.agent().deliver([ANN], Given(data))[ANN.name].verdict is Verdict.REFUSED
    assert hop.got == []


def test_a_header_may_be_large_and_may_be_all_there_is() -> None:
    for data in (b"X: y\r\n" * 40_000 + b"\r\nbody\r\n", b"Subject: all\r\n", b"Subject: all", b"Subject: all\r\n\r\n"):
        hop = Hop()
        assert hop.agent().deliver([ANN], Given(data))[ANN.name].verdict is Verdict.ACCEPTED
        assert hop.got[0][1].endswith(b"body\r\n" if b"body" in data else b"Subject: all\r\n\r\n")


def test_mail_with_lf_goes_out_with_crlf_and_a_body_alone_stays_as_it_is() -> None:
    hop = Hop()
    hop.agent().deliver([ANN], Given(MAIL.replace(b"\r\n", b"\n") * 1000))
    hop.agent().deliver([ANN], Given(b"Subject: x\r\n\r\nalone\nhere\r\n"))
    assert split(hop.got[0][1])[1] == split(MAIL * 1000)[1]
    assert split(hop.got[1][1])[1] == b"alone\nhere\r\n"


def test_a_large_body_is_not_changed(server: ses.Server, agent: ForwardAgent) -> None:
    body = b"".join(b"%076d\r\n" % number for number in range(40_000))
    assert agent.deliver([ANN], Given(b"From: a@b.example\r\n\r\n" + body))[ANN.name].verdict is Verdict.ACCEPTED
    assert split(server.sent[0].data)[1] == body


def test_a_message_that_is_gone_is_said_to_be_and_other_trouble_means_later() -> None:
    with pytest.raises(NoSuchMessage):
        Hop().agent().deliver([ANN], Given(error=NoSuchMessage()))
    for message in (Given(error=Unavailable()), Given(breaks=Unavailable()), Given(error=KeyError("ours"))):
        assert Hop().agent().deliver([ANN], message)[ANN.name].verdict is Verdict.LATER
        assert all(file.closed for file in message.files)
    for hop in (Hop({}), Hop(KeyError("ours"))):
        assert hop.agent().deliver([ANN], Given())[ANN.name].verdict is Verdict.LATER


def test_the_log_says_where_it_went(server: ses.Server, agent: ForwardAgent, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    agent.deliver([ANN], Given())
    (line,) = [record.getMessage() for record in caplog.records if record.name == "sesmail.fate"]
    assert line.startswith("forwarded id=")
    assert "to=tom@example.com forward_to=ann@elsewhere.example" in line
    assert f"next_id={server.sent[0].id}" in line
