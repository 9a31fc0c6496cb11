"""One message for places of all kinds: each has it once, whatever fails at first, and the original goes last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sesmail.aws.bounces import Bounces
from sesmail.aws.receipt import Verdict, Verdicts
from sesmail.aws.ses import Ses, SesPlace
from sesmail.delivery.bounceagent import BounceAgent
from sesmail.delivery.forward import ForwardAgent
from sesmail.delivery.journey import Sorted
from sesmail.delivery.lmtp import LmtpClient
from sesmail.delivery.lmtpagent import LmtpAgent
from sesmail.delivery.lmtpsession import LmtpSettings
from sesmail.delivery.maildiragent import MaildirAgent
from sesmail.delivery.pipe import PipeAgent
from sesmail.delivery.plan import Bounce, Forward, Lmtp, Maildir, Pipe
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys
from sesmail.relay.ses import SesCourier
from tests.delivery.scriptedlmtp import Scripted, saying
from tests.delivery.sorting import ID, MAIL, TOM, Office, box, directory, notice
from tests.servers import ses

LIST = "list@example.com"
ABROAD = ["ann@elsewhere.example", "ben@elsewhere.example"]
US = "forwarder@example.com"


@pytest.fixture
def server() -> Iterator[ses.Server]:
    with ses.running() as running:
        running.verify_only("example.com")
        yield running


@pytest.fixture
def lmtp() -> Iterator[Scripted]:
    with saying(END=["250 2.0.0 yes", "451 4.2.0 not now", "250 2.0.0 yes"]) as running:
        yield running


@pytest.fixture
def office(tmp_path: Path, server: ses.Server, lmtp: Scripted) -> Office:
    made = Office(directory(tmp_path / "mail"))
    place = SesPlace("eu-west-1", server.endpoint, Keys("AKIATESTS", "of-the-tests"))
    made.agents |= {
        Lmtp: LmtpAgent(LmtpClient(LmtpSettings("127.0.0.1", lmtp.port, timeout=10))),
        Maildir: MaildirAgent(make=True),
        Pipe: PipeAgent(timeout=30),
        Forward: ForwardAgent(SesCourier(Ses(place).client).send, forward_from=US, gateway="mail.example.com"),
        Bounce: BounceAgent(Bounces(Ses(place, service="ses").client, US).send, now=lambda: 1_000_000.0),
    }
    return made


def test_each_place_has_it_once_though_all_kinds_fail_at_first(
    office: Office, server: ses.Server, lmtp: Scripted, tmp_path: Path
) -> None:
    script = tmp_path / "once"
    script.write_text(f"#!/bin/sh\ncat >>{tmp_path}/piped\n[ -e {tmp_path}/tried ] || {{ touch {tmp_path}/tried; exit 75; }}\n")
    script.chmod(0o755)
    office.routes = {LIST: [TOM, "lmtp:ann", "lmtp:bob", f"maildir:{tmp_path}/box", f"pipe:{script} --password=x", *ABROAD]}
    # Both together are refused, then Ann alone is not, and Ben has to wait.
    server.plant(*(ses.Fault(code, recipient="ben@elsewhere.example") for code in ("MessageRejected", "Throttling")))
    office.arrive()
    with pytest.raises(Unavailable):
        office.sorter().sort(notice(LIST))
    assert f"new/{ID}" in office.listed()
    assert office.sorter().sort(notice(LIST), again=True) is Sorted.DONE
    assert f"new/{ID}" not in office.listed()
    assert box(TOM) in office.listed()
    assert len(list((tmp_path / "box" / "new").iterdir())) == 1
    assert (tmp_path / "piped").read_bytes() == MAIL.replace(b"\r\n", b"\n") * 2
    assert [words for words in lmtp.said if words.startswith("RCPT")] == ["RCPT TO:<ann>", "RCPT TO:<bob>", "RCPT TO:<bob>"]
    assert [sent.recipients for sent in server.sent] == [(address,) for address in ABROAD]


@pytest.mark.parametrize(
    ("command", "ended"), [("false", Sorted.HELD), ("sh -c 'cat >/dev/null; exit 67'", Sorted.HELD), ("true", Sorted.DONE)]
)
def test_only_a_command_that_succeeds_lets_the_message_go(office: Office, command: str, ended: Sorted) -> None:
    office.routes = {LIST: [f"pipe:{command}"]}
    office.arrive()
    assert office.sorter().sort(notice(LIST)) is ended
    assert (f"held/{ID}" in office.listed()) is (ended is Sorted.HELD)


def test_a_command_that_cannot_be_run_leaves_the_message_where_it_is(office: Office) -> None:
    office.routes = {LIST: ["pipe:/no/such/program"]}
    office.arrive()
    with pytest.raises(Unavailable):
        office.sorter().sort(notice(LIST))
    assert f"new/{ID}" in office.listed()


def test_mail_that_goes_in_circles_is_held(office: Office, server: ses.Server) -> None:
    office.routes = {LIST: [ABROAD[0]]}
    office.arrive(data=b"X-Sesmail-Forwarded: mail.example.com\r\n" * 3 + MAIL)
    assert office.sorter().sort(notice(LIST)) is Sorted.HELD
    assert server.sent == []


@pytest.mark.parametrize(("passed", "bounced"), [(Verdict.PASS, 1), (Verdict.FAIL, 0)])
def test_only_a_sender_who_is_real_is_sent_a_bounce(office: Office, server: ses.Server, passed: Verdict, bounced: int) -> None:
    office.routes = {"gone@example.com": ["bounce:"]}
    office.arrive()
    said = replace(notice("gone@example.com"), verdicts=Verdicts(spf=passed))
    assert office.sorter().sort(said) is (Sorted.DONE if bounced else Sorted.HELD)
    assert len(server.bounces) == bounced
    assert office.sorter().sort(said, again=True) is not Sorted.DONE
    assert len(server.bounces) == bounced


def test_a_bounce_that_ses_will_not_send_is_held(office: Office, server: ses.Server) -> None:
    server.plant(ses.Fault("MessageRejected", 400, "older than 24 hours", operation="SendBounce"))
    office.routes = {"gone@example.com": ["bounce:"]}
    office.arrive()
    assert office.sorter().sort(replace(notice("gone@example.com"), verdicts=Verdicts(spf=Verdict.PASS))) is Sorted.HELD
