"""Mail goes out through another server: what it says is heard for each recipient, and what is our own fault bounces nothing."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.smtp import SmtpCourier
from sesmail.relay.smtpsession import GOOD_BYE, SmtpSettings
from tests.relay.scriptedsmtp import CLOSE, Scripted, saying

_MAIL = b"From: jack@example.com\r\n\r\n.hello\r\n"
_A, _B, _C = "a@example.org", "b@example.org", "c@example.org"


def courier(server: Scripted, **changes: Any) -> SmtpCourier:
    settings = SmtpSettings("127.0.0.1", server.port, tls="none", hostname="us.example", timeout=5, patience=20)
    return SmtpCourier(replace(settings, **changes))


def send(
    courier: SmtpCourier, *recipients: str, data: bytes = _MAIL, sender: str = "jack@example.com"
) -> Mapping[str, Outcome]:
    try:
        return courier.send(Envelope(sender, recipients or (_A,)), io.BytesIO(data))
    finally:
        courier.close()


def replies(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {address: outcome.reply[:9] for address, outcome in outcomes.items()}


def test_a_message_and_its_envelope_are_said_as_the_rfc_has_it() -> None:
    with saying() as server:
        outcomes = send(courier(server), _A, '"odd name"@example.org')
        mail, *rest = server.said
        assert mail == "ehlo us.example"
        assert rest == [
            f"MAIL FROM:<jack@example.com> SIZE={len(_MAIL)}",
            f"RCPT TO:<{_A}>",
            'RCPT TO:<"odd name"@example.org>',
            "DATA",
            "QUIT",
        ]
        assert server.messages == [b"From: jack@example.com\r\n\r\n..hello\r\n.\r\n"]
        assert set(replies(outcomes).values()) == {"250 2.0.0"}
        assert {outcome.id for outcome in outcomes.values()} == {"4XYZ"}


def test_the_null_sender_can_be_sent_where_a_server_takes_it() -> None:
    with saying() as server:
        assert replies(send(courier(server), sender="")) == {_A: "250 2.0.0"}
        assert server.said[1].startswith("MAIL FROM:<> ")


def test_the_id_of_ses_is_known() -> None:
    with saying(END="250 Ok 0102017f-aaaa-000000") as server:
        assert send(courier(server))[_A].id == "0102017f-aaaa-000000"


def test_every_recipient_has_his_own_reply() -> None:
    script = {f"RCPT TO:<{_B}>": "550 5.1.1 nobody", f"RCPT TO:<{_C}>": "452 4.2.2 full"}
    with saying(**script) as server:
        outcomes = send(courier(server), _A, _B, _C)
        assert replies(outcomes) == {_A: "250 2.0.0", _B: "550 5.1.1", _C: "452 4.2.2"}
        assert outcomes[_B].text == "nobody"
        assert len(server.messages) == 1


def test_without_any_good_recipient_there_is_no_data() -> None:
    with saying(RCPT="550 5.1.1 nobody") as server:
        assert replies(send(courier(server), _A, _B)) == {_A: "550 5.1.1", _B: "550 5.1.1"}
        assert "DATA" not in server.said


def test_a_message_refused_for_a_group_is_tried_for_each() -> None:
    with saying(END=["554 Message rejected: Email address is not verified.", "250 Ok", "554 5.7.1 spam", "250 Ok"]) as server:
        outcomes = send(courier(server), _A, _B, _C)
        assert replies(outcomes) == {_A: "250 2.0.0", _B: "554 5.7.1", _C: "250 2.0.0"}
        assert [said for said in server.said if said.startswith("RCPT")] == [f"RCPT TO:<{a}>" for a in (_A, _B, _C, _A, _B, _C)]
        assert server.connections == 1


def test_many_recipients_go_in_groups_in_one_conversation() -> None:
    with saying() as server:
        everybody = [f"{number}@example.org" for number in range(120)]
        assert set(replies(send(courier(server), *everybody)).values()) == {"250 2.0.0"}
        assert len(server.messages) == 3
        assert server.connections == 1


@pytest.mark.parametrize(
    ("step", "said", "reply", "alarm"),
    [
        ("GREETING", "554 no service for you", "451", True),
        ("GREETING", "421 too many", "451", False),
        ("EHLO", "500 what", "451", True),
        ("MAIL", "530 5.7.0 Authentication required", "451", True),
        ("MAIL", "503 login first", "451", True),
        ("MAIL", "451 4.3.0 later", "451 4.3.0", False),
        ("MAIL", "553 5.7.1 not yours", "553 5.7.1", False),
        ("MAIL", "421 4.3.2 going down", "421 4.3.2", False),
        ("RCPT", "554 5.7.1 <x>: Relay access denied", "451", True),
        ("RCPT", "552 too many recipients", "452 4.5.3", False),
        ("RCPT", "550 no", "550 5.0.0", False),
        ("RCPT", "421 going down", "421 4.0.0", False),
        ("DATA", "454 Throttling failure: Maximum sending rate exceeded.", "451 4.7.1", False),
        ("DATA", "454 Throttling failure: Daily message quota exceeded.", "452 4.5.3", True),
        ("DATA", "552 Message is too long.", "552 5.3.4", False),
        ("END", "554 Message rejected: Email address is not verified. a@example.com", "554 5.7.1", False),
        ("END", "554 Message rejected: Sending paused for this account.", "451", True),
        ("END", "554 Access denied: User `arn:aws:iam::1:user/x' is not authorized to perform `ses:SendRawEmail'", "451", True),
        ("END", "554 Configuration set does not exist: x", "451", True),
        ("END", "554 Transaction failed: Illegal header", "554 5.6.0", False),
        ("END", "553 Invalid email address", "553 5.1.3", False),
        ("END", "451 Internal error", "451 4.0.0", False),
        ("END", "550-5.7.1 two\r\n550 5.7.1 lines", "550 5.7.1", False),
        ("END", "999 what", "451 4.5.0", True),
        ("END", CLOSE, "451 4.4.2", False),
        ("END", "nonsense", "451 4.4.2", False),
        ("RCPT", CLOSE, "451 4.4.2", False),
    ],
)
def test_each_reply_has_its_meaning(step: str, said: str, reply: str, alarm: bool) -> None:
    with saying(**{step: said}) as server:
        got = send(courier(server))[_A]
        assert got.reply.startswith(f"{reply} ")
        assert bool(got.alarm) == alarm
        assert "arn:aws" not in got.text


def test_a_server_that_was_not_to_be_reached_is_tried_later() -> None:
    with saying() as server:
        gone = courier(server, port=9)
    assert replies(send(gone)) == {_A: "451 4.4.2"}


def test_trouble_stops_the_attempt_for_all_groups() -> None:
    with saying(END=["250 ok", "454 Throttling failure: Maximum sending rate exceeded."]) as server:
        everybody = [f"{number}@example.org" for number in range(160)]
        outcomes = send(courier(server), *everybody)
        assert [outcome.code for outcome in outcomes.values()] == [250] * 50 + [451] * 110
        assert len(server.messages) == 2


def test_who_was_refused_before_the_line_broke_stays_refused() -> None:
    with saying(**{f"RCPT TO:<{_A}>": "550 5.1.1 nobody", f"RCPT TO:<{_B}>": CLOSE}) as server:
        assert replies(send(courier(server), _A, _B, _C)) == {_A: "550 5.1.1", _B: "451 4.4.2", _C: "451 4.4.2"}


def test_eight_bit_mail_is_declared_and_waits_where_it_is_not_taken() -> None:
    eight = _MAIL + b"gr\xfc\xdfe\r\n"
    with saying() as server:
        send(courier(server), data=eight)
        assert server.said[1].endswith(" BODY=8BITMIME")
    with saying(EHLO="250 here") as server:
        got = send(courier(server), data=eight)[_A]
        assert (got.code, got.status) == (451, "4.6.3")
        assert got.alarm
        assert server.messages == []
        assert replies(send(courier(server))) == {_A: "250 2.0.0"}


def test_what_is_too_large_for_the_server_is_not_sent_there() -> None:
    with saying() as server:
        assert replies(send(courier(server), data=_MAIL * 40_000)) == {_A: "552 5.3.4"}
        assert server.messages == []


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "RCPT", "DATA", "END"])
def test_a_server_that_drips_is_given_up_when_the_time_is_over(step: str) -> None:
    with saying(**{step: "2~"}) as server:
        began = time.monotonic()
        assert replies(send(courier(server, timeout=0.5, patience=1)))[_A].startswith("451")
        assert time.monotonic() - began < 6


def test_a_reply_without_end_is_not_read_without_end() -> None:
    with saying(EHLO="\r\n".join(["250-x"] * 5000) + "\r\n250 x") as server:
        assert replies(send(courier(server))) == {_A: "451 4.4.2"}
    with saying(EHLO="250 " + "x" * 1_000_000) as server:
        assert replies(send(courier(server))) == {_A: "451 4.4.2"}


def test_a_conversation_is_used_again_and_ended_when_it_waited_too_long() -> None:
    now = [0.0]
    with saying() as server:
        settings = SmtpSettings("127.0.0.1", server.port, tls="none", timeout=5)
        sender = SmtpCourier(settings, clock=lambda: now[0])
        for now[0] in (0.0, 5.0, 10.0):
            sender.send(Envelope("", (_A,)), io.BytesIO(_MAIL))
        assert server.connections == 1
        now[0] = 40.0
        sender.send(Envelope("", (_A,)), io.BytesIO(_MAIL))
        assert server.connections == 2
        assert len(server.messages) == 4
        sender.close()


class _Together(io.BytesIO):
    """A message that goes on only when as many are sent as the barrier waits for."""

    def __init__(self, barrier: threading.Barrier) -> None:
        # Too large to be read only once.
        super().__init__(_MAIL + b"a line\r\n" * 10_000)
        self._barrier = barrier

    def seek(self, *where: int) -> int:
        self._barrier.wait(30)
        return super().seek(*where)


def test_conversations_that_wait_are_ended_with_a_good_bye_that_takes_seconds_for_all() -> None:
    with saying(QUIT="2~") as server:
        sender, barrier = courier(server), threading.Barrier(3)
        with ThreadPoolExecutor(3) as threads:
            for _ in range(3):
                threads.submit(sender.send, Envelope("", (_A,)), _Together(barrier))
        assert (server.connections, server.said.count("QUIT")) == (3, 0)
        began = time.monotonic()
        sender.close()
        assert GOOD_BYE <= time.monotonic() - began < 2 * GOOD_BYE
        assert "QUIT" in server.said


_PIPELINING = "250-here\r\n250 PIPELINING"


def test_what_a_server_takes_at_once_is_said_at_once() -> None:
    with saying(EHLO=_PIPELINING) as server:
        server.waits_for = 4
        outcomes = send(courier(server), _A, _B, _C)
        assert replies(outcomes) == dict.fromkeys((_A, _B, _C), "250 2.0.0")
        said = ["MAIL FROM:<jack@example.com>", *(f"RCPT TO:<{address}>" for address in (_A, _B, _C)), "DATA", "QUIT"]
        assert server.said[1:] == said


def test_each_hears_its_own_reply_when_all_were_said_at_once() -> None:
    with saying(EHLO=_PIPELINING, RCPT=["250 yes", "550 5.1.1 nobody", "250 yes"]) as server:
        assert replies(send(courier(server), _A, _B, _C)) == {_A: "250 2.0.0", _B: "550 5.1.1", _C: "250 2.0.0"}


def test_a_refused_sender_leaves_no_reply_for_the_next_message() -> None:
    with saying(
        EHLO=_PIPELINING, MAIL=["550 5.7.1 not you", "250 yes"], RCPT=["503 5.5.1 MAIL first", "503", "250 yes"]
    ) as server:
        sender = courier(server)
        assert replies(sender.send(Envelope("jack@example.com", (_A, _B)), io.BytesIO(_MAIL))) == dict.fromkeys(
            (_A, _B), "550 5.7.1"
        )
        assert replies(send(sender)) == {_A: "250 2.0.0"}
        assert server.connections == 1


def test_a_conversation_that_had_ended_costs_no_attempt_when_all_is_said_at_once() -> None:
    with saying(EHLO=_PIPELINING, MAIL=["250 ok", CLOSE, "250 ok"]) as server:
        sender = courier(server)
        for _ in range(2):
            assert replies(sender.send(Envelope("", (_A, _B)), io.BytesIO(_MAIL))) == dict.fromkeys((_A, _B), "250 2.0.0")
        sender.close()
        assert server.connections == 2


@pytest.mark.parametrize("reply", [CLOSE, "421 4.4.2 you said nothing for long"])
def test_a_conversation_that_the_server_had_ended_costs_no_attempt(reply: str) -> None:
    with saying(MAIL=["250 ok", reply, "250 ok"]) as server:
        sender = courier(server)
        for _ in range(2):
            assert replies(sender.send(Envelope("", (_A,)), io.BytesIO(_MAIL))) == {_A: "250 2.0.0"}
        assert server.connections == 2
        assert len(server.messages) == 2
        sender.close()


def test_a_message_is_sent_from_where_its_file_stands() -> None:
    with saying() as server:
        file = io.BytesIO(b"a line of the spool\n" + _MAIL)
        file.readline()
        sender = courier(server)
        sender.send(Envelope("", (_A,)), file)
        sender.close()
        assert server.messages[0].startswith(b"From: jack")
        assert f"SIZE={len(_MAIL)}" in server.said[1]


def test_an_alarm_is_logged_once_and_no_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with saying(EHLO="250-here\r\n250 AUTH PLAIN", AUTH="535 5.7.8 wrong") as server:
        sender = courier(server, username="AKIAX", password="s3cret")
        for _ in range(3):
            assert replies(sender.send(Envelope("", (_A,)), io.BytesIO(_MAIL))) == {_A: "451 4.7.8"}
    alarms = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(alarms) == 1
    assert "AUTH: 535 5.7.8 wrong" in alarms[0]
    assert "s3cret" not in caplog.text


def test_a_login_without_plain_is_made_by_login() -> None:
    with saying(EHLO="250-here\r\n250 AUTH LOGIN", AUTH="334 VXNlcm5hbWU6", czNjcmV0="235 ok") as server:
        assert replies(send(courier(server, username="AKIAX", password="s3cret"))) == {_A: "250 2.0.0"}
        assert server.said[1:3] == ["AUTH LOGIN QUtJQVg=", "czNjcmV0"]


@pytest.mark.parametrize(("offered", "reply", "alarm"), [("AUTH CRAM-MD5", "451", True), ("AUTH PLAIN", "454", False)])
def test_a_login_that_cannot_be_tried_now_is_no_refusal(offered: str, reply: str, alarm: bool) -> None:
    with saying(EHLO=f"250-here\r\n250 {offered}", AUTH="454 4.7.0 Temporary authentication failure") as server:
        got = send(courier(server, username="AKIAX", password="s3cret"))[_A]
        assert got.reply.startswith(reply)
        assert bool(got.alarm) == alarm


def test_without_starttls_where_it_is_wanted_nothing_is_said() -> None:
    with saying() as server:
        got = send(courier(server, tls="starttls", username="AKIAX", password="s3cret"))[_A]
        assert (got.code, bool(got.alarm)) == (451, True)
        assert server.said == ["ehlo us.example"]


def test_what_is_said_behind_the_reply_to_starttls_is_not_believed() -> None:
    with saying(EHLO="250-here\r\n250 STARTTLS", STARTTLS="220 go\r\n250-AUTH PLAIN\r\n250 x") as server:
        got = send(courier(server, tls="starttls"))[_A]
        assert (got.code, bool(got.alarm)) == (451, True)
