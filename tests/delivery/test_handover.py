"""A message for the gateway beside us: everybody is given it or nobody, and what is not known for certain is tried again."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sesmail.delivery.handover import NotThere, handed_over, worst
from sesmail.delivery.lmtpsession import LmtpSettings
from sesmail.mail.outcome import Outcome
from tests.delivery.scriptedlmtp import CLOSE, SILENCE, Scripted, saying
from tests.servers.ports import free_port

TOM, ANN = "tom@example.com", "ann@example.com"
MAIL = b"Subject: x\r\n\r\n.\r\nhello"
OURS = {"LHLO": "250-here\r\n250-SIZE\r\n250 XQUEUEID"}
DONE, LATER, REFUSED = Outcome(250, "2.1.5", "yes"), Outcome(451, "4.3.0", "no"), Outcome(550, "5.1.1", "nobody")


def give(server: Scripted, *people: str, queue_id: str = "4XyZ") -> Mapping[str, Outcome]:
    settings = LmtpSettings("127.0.0.1", server.port, timeout=0.5, patience=2)
    return handed_over(settings, "", people or (TOM, ANN), io.BytesIO(MAIL), queue_id, clock=time.monotonic)


def codes(outcomes: Mapping[str, Outcome]) -> list[int]:
    return [outcome.code for outcome in outcomes.values()]


def test_everybody_is_given_it_once_and_the_queue_id_goes_before() -> None:
    with saying(OURS) as server:
        assert codes(give(server)) == [250, 250]
    assert server.said[1] == f"MAIL FROM:<> SIZE={len(MAIL)} BODY=8BITMIME XQUEUEID=4XyZ"
    assert server.messages == [b"Subject: x\r\n\r\n..\r\nhello\r\n.\r\n"]


def test_a_server_that_is_none_of_ours_is_not_told_the_queue_id() -> None:
    with saying() as server:
        assert codes(give(server)) == [250, 250]
    assert "XQUEUEID" not in server.said[1]


def test_nobody_is_given_what_one_is_refused() -> None:
    with saying({f"RCPT TO:<{ANN}>": "550 5.1.1 no such mailbox"}) as server:
        outcomes = give(server)
    assert server.messages == []
    assert [outcome.status for outcome in outcomes.values()] == ["5.1.1", "5.1.1"]


def test_where_one_cannot_be_asked_about_everything_is_tried_again() -> None:
    replies = {f"RCPT TO:<{ANN}>": "550 5.1.1 no", f"RCPT TO:<{TOM}>": "451 4.3.0 not now"}
    with saying(replies) as server:
        assert worst(give(server)).code == 451
    assert server.messages == []


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("reply", [CLOSE, SILENCE, "451 4.3.0 no", "421 stopping", "999 what", "250 yes|"])
def test_whatever_goes_wrong_is_tried_again(step: str, reply: str) -> None:
    with saying({step: reply}) as server:
        assert worst(give(server)).code == 451


@pytest.mark.parametrize(
    ("step", "reply"), [("GREETING", "421 full"), ("GREETING", CLOSE), ("LHLO", "500 what"), ("LHLO", SILENCE)]
)
def test_a_gateway_that_takes_no_mail_is_none(step: str, reply: str) -> None:
    with saying({step: reply}) as server, pytest.raises(NotThere):
        give(server)


def test_nobody_there_is_no_gateway(tmp_path: Path) -> None:
    for settings in (
        LmtpSettings("127.0.0.1", free_port()),
        LmtpSettings(str(tmp_path / "none")),
        LmtpSettings("/" + "x" * 200),
    ):
        with pytest.raises(NotThere):
            handed_over(settings, "", (TOM,), io.BytesIO(MAIL), "1", clock=time.monotonic)


def test_a_message_that_is_too_large_is_refused() -> None:
    with saying({"MAIL": "552 5.3.4 too large"}) as server:
        assert {outcome.status for outcome in give(server).values()} == {"5.3.4"}


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([DONE, DONE], 250),
        ([DONE, LATER], 451),
        ([LATER, REFUSED], 451),
        ([REFUSED, REFUSED], 550),
        # Whoever has it must not have it returned as well.
        ([DONE, REFUSED], 451),
    ],
)
def test_the_whole_is_as_good_as_its_worst_part(outcomes: list[Outcome], code: int) -> None:
    assert worst({str(number): outcome for number, outcome in enumerate(outcomes)}).code == code
