"""Users of an LMTP server get a message in one transaction, its own octets, with an outcome each."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sesmail.delivery.lmtp import LmtpClient
from sesmail.delivery.lmtpagent import LmtpAgent
from sesmail.delivery.lmtpsession import LmtpSettings
from sesmail.delivery.plan import Lmtp
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.mail.outcome import Outcome, Verdict
from tests.delivery.given import MAIL, Given, step
from tests.delivery.scriptedlmtp import CLOSE, saying
from tests.servers.dovecot import running

BOB, EVE, TIM = (step(Lmtp(name), f"{name}@example.com") for name in ("bob", "eve", "tim"))


def agent(port: int) -> LmtpAgent:
    return LmtpAgent(LmtpClient(LmtpSettings("127.0.0.1", port, timeout=10)))


def verdicts(outcomes: Mapping[str, Outcome]) -> dict[str, Verdict]:
    return {name: outcome.verdict for name, outcome in outcomes.items()}


def test_all_users_are_one_transaction_with_a_reply_each() -> None:
    with saying({"RCPT TO:<eve>": "550 5.1.1 who?", "END tim": "452 4.2.2 full"}) as server:
        outcomes = agent(server.port).deliver([BOB, EVE, TIM], Given(fields=b"Return-Path: <x@y.example>\r\n"))
        assert verdicts(outcomes) == {BOB.name: Verdict.ACCEPTED, EVE.name: Verdict.REFUSED, TIM.name: Verdict.LATER}
        assert [words.partition(" ")[0] for words in server.said].count("MAIL") == 1
        assert "MAIL FROM:<jack@else.example>" in server.said[1]
        assert server.messages == [MAIL.replace(b"\r\n.\r\n", b"\r\n..\r\n") + b".\r\n"]


def test_the_null_sender_stays_null() -> None:
    with saying() as server:
        agent(server.port).deliver([BOB], Given(sender=""))
        assert server.said[1].startswith("MAIL FROM:<>")


def test_a_server_in_trouble_is_asked_again() -> None:
    with saying(DATA=CLOSE) as server:
        assert verdicts(agent(server.port).deliver([BOB, EVE], Given())) == dict.fromkeys([BOB.name, EVE.name], Verdict.LATER)
    assert verdicts(agent(server.port).deliver([BOB], Given())) == {BOB.name: Verdict.LATER}


def test_a_message_that_is_gone_is_said_to_be_and_one_that_cannot_be_read_waits() -> None:
    with saying() as server:
        with pytest.raises(NoSuchMessage):
            agent(server.port).deliver([BOB], Given(error=NoSuchMessage()))
        for message in (Given(error=Unavailable()), Given(breaks=Unavailable()), Given(error=KeyError("ours"))):
            assert verdicts(agent(server.port).deliver([BOB], message)) == {BOB.name: Verdict.LATER}
            assert all(file.closed for file in message.files)
        assert not [data for data in server.messages if not data.endswith(b"broken off")]


def test_what_the_administrator_must_mend_is_told_him_once(caplog: pytest.LogCaptureFixture) -> None:
    with saying(MAIL="530 5.7.0 who are you") as server:
        one = agent(server.port)
        for _ in range(3):
            assert verdicts(one.deliver([BOB], Given())) == {BOB.name: Verdict.LATER}
    assert len([record for record in caplog.records if "mend this: LMTP MAIL: 530" in record.getMessage()]) == 1


def test_the_log_says_who_has_it_now(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    with saying({"RCPT TO:<eve>": "550 5.1.1 who?"}) as server:
        agent(server.port).deliver([BOB, EVE], Given())
    (line,) = [record.getMessage() for record in caplog.records if record.name == "sesmail.fate"]
    assert line.startswith("delivered id=o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1 sender=jack@else.example to=bob@example.com")
    assert "by=lmtp user=bob" in line


def test_a_real_dovecot_has_the_octets_for_whom_it_knows() -> None:
    with running("bob:{PLAIN}secret::::::\neve:{PLAIN}secret::::::\n", receiving=True) as dovecot:
        outcomes = agent(dovecot.lmtp_port).deliver([BOB, EVE, TIM], Given())
        assert verdicts(outcomes) == {BOB.name: Verdict.ACCEPTED, EVE.name: Verdict.ACCEPTED, TIM.name: Verdict.REFUSED}
        for user in ("bob", "eve"):
            (stored,) = dovecot.mail(user)
            assert stored.startswith(b"Return-Path: <jack@else.example>\n")
            assert stored.replace(b"\n", b"\r\n").endswith(MAIL)
