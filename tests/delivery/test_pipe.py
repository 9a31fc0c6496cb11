"""Commands get mail as programs know it from an MTA; only exit 0 is success, and their words decide what a failure is."""

from __future__ import annotations

import logging
import shlex
import signal
from pathlib import Path

import pytest

from sesmail.delivery.pipe import PipeAgent
from sesmail.delivery.plan import Pipe, Step
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.mail.outcome import Outcome, Verdict
from tests.delivery.given import MAIL, Given, step


def deliver(command: str, message: Given | None = None, agent: PipeAgent | None = None) -> Outcome:
    one = step(Pipe(command))
    return (agent or PipeAgent(timeout=30)).deliver([one], message or Given())[one.name]


def sh(script: str) -> Outcome:
    return deliver(f"sh -c {shlex.quote(script)}")


def test_the_message_comes_with_lf_after_the_fields_of_delivery(tmp_path: Path) -> None:
    message = Given(MAIL + b"alone \r here\r\n" + b"x" * 65_535 + b"\r\n\r", fields=b"Return-Path: <>\r\n")
    assert deliver(f"tee {tmp_path}/got", message).verdict is Verdict.ACCEPTED
    expected = b"Return-Path: <>\n" + MAIL.replace(b"\r\n", b"\n") + b"alone \r here\n" + b"x" * 65_535 + b"\n\r"
    assert (tmp_path / "got").read_bytes() == expected


@pytest.mark.parametrize("cut", range(65_530, 65_540))
def test_a_line_end_is_one_wherever_a_piece_ends(tmp_path: Path, cut: int) -> None:
    deliver(f"tee {tmp_path}/got", Given(b"x" * cut + b"\r\ny\r\n"))
    assert (tmp_path / "got").read_bytes() == b"x" * cut + b"\ny\n"


def test_it_comes_as_it_is_where_that_is_wanted(tmp_path: Path) -> None:
    deliver(f"tee {tmp_path}/got", agent=PipeAgent(crlf=True))
    assert (tmp_path / "got").read_bytes() == MAIL


def test_a_command_is_words_and_no_script(tmp_path: Path) -> None:
    deliver(f"""tee "{tmp_path}/a b" '{tmp_path}/$HOME;x' """)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["$HOME;x", "a b"]


def test_the_environment_says_who_and_what_and_nothing_more() -> None:
    agent = PipeAgent(environment={"HOME": "/var/mail"})
    outcome = deliver('sh -c \'env | sort | tr "\\n" " "\'', Given(sender="", id="one"), agent)
    words = outcome.text.split()
    for said in ("HOME=/var/mail", "MESSAGE_ID=one", "RECIPIENT=tom@example.com", "SENDER="):
        assert said in words
    assert {word.partition("=")[0] for word in words[2:]} <= {
        "HOME",
        "PATH",
        "MESSAGE_ID",
        "RECIPIENT",
        "SENDER",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    }


def test_what_a_sender_is_called_is_never_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert deliver('sh -c "echo $SENDER"', Given(sender=f'"$(touch {run});`id`"@else.example')).verdict is Verdict.ACCEPTED
    assert not run.exists()


def test_each_recipient_has_a_process_of_his_own(tmp_path: Path) -> None:
    command = f"sh -c 'echo $RECIPIENT >>{tmp_path}/who'"
    steps = [step(Pipe(command), "bob@example.com"), step(Pipe(command), "eve@example.com")]
    outcomes = PipeAgent().deliver(steps, Given())
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.ACCEPTED}
    assert set(outcomes) == {one.name for one in steps}
    assert (tmp_path / "who").read_text() == "bob@example.com\neve@example.com\n"


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        (64, "554 5.3.0"),
        (65, "554 5.6.0"),
        (66, "554 5.3.0"),
        (67, "554 5.1.1"),
        (68, "554 5.1.2"),
        (69, "554 5.3.0"),
        (70, "554 5.3.0"),
        (71, "451 4.3.0"),
        (72, "554 5.3.0"),
        (73, "554 5.2.0"),
        (74, "554 5.3.0"),
        (75, "451 4.3.0"),
        (76, "554 5.5.0"),
        (77, "554 5.7.0"),
        (78, "554 5.3.5"),
        (1, "554 5.3.0"),
        (255, "554 5.3.0"),
        (126, "451 4.3.5"),
        (127, "451 4.3.5"),
    ],
)
def test_exit_statuses_mean_what_they_mean_to_postfix(status: int, reply: str) -> None:
    assert sh(f"echo why; exit {status}").reply.startswith(f"{reply} ")


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ("echo 4.2.2 full; exit 67", "451 4.2.2 sh: full"),
        ("echo 5.1.1 who; exit 75", "554 5.1.1 sh: who"),
        ("echo 4.2.2; exit 1", "451 4.2.2 sh:"),
        ("echo 5.7.1 no >&2; exit 127", "554 5.7.1 sh: no"),
        ("echo 5.7.1 no; exit 0", "250 2.0.0 Ok sh: 5.7.1 no"),
        ("echo 2.0.0 fine; exit 67", "554 5.1.1 sh, exit status 67: 2.0.0 fine"),
        ("echo 5.1.1x; exit 75", "451 4.3.0 sh, exit status 75: 5.1.1x"),
        ("echo; echo first; echo second; exit 67", "554 5.1.1 sh, exit status 67: first"),
        ("printf 'a\\0\\033[31m\\377b\\r\\n'; exit 67", "554 5.1.1 sh, exit status 67: a [31m b"),
        ("exit 67", "554 5.1.1 sh, exit status 67:"),
    ],
)
def test_its_words_count_for_more_than_its_status(script: str, reply: str) -> None:
    assert sh(script).reply == reply


def test_a_signal_and_a_time_that_is_up_mean_later() -> None:
    assert sh("kill -11 $$").reply.startswith(f"451 4.3.0 sh was ended by signal {signal.SIGSEGV:d}")
    slow = deliver("sh -c 'echo 5.0.0 begun; exec sleep 60'", agent=PipeAgent(timeout=1.5, grace=1))
    assert slow.reply == "451 4.4.7 sh took too long: 5.0.0 begun"


@pytest.mark.parametrize(
    "command", ["/no/such/program secret", "no-such-program secret", "/etc/passwd secret", "/ secret", '""', 'cat "secret']
)
def test_what_cannot_be_run_waits_for_the_administrator(command: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outcome = deliver(command)
    assert outcome.reply == "451 4.3.5 the command for this mail cannot be run"
    assert (outcome.alarm or "").startswith("pipe: ")
    assert "secret" not in f"{outcome} {caplog.text}"


def test_the_administrator_hears_of_it_once(caplog: pytest.LogCaptureFixture) -> None:
    agent = PipeAgent()
    for _ in range(3):
        deliver("/no/such/program secret", agent=agent)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line == "mail waits for you to mend this: pipe: program cannot be run: No such file or directory"


def test_a_message_that_is_gone_is_said_to_be_and_one_that_breaks_off_is_not_delivered(tmp_path: Path) -> None:
    command = f"sh -c 'cat >/dev/null; touch {tmp_path}/whole'"
    with pytest.raises(NoSuchMessage):
        deliver(command, Given(error=NoSuchMessage()))
    for message in (Given(breaks=Unavailable()), Given(error=KeyError("ours"))):
        assert deliver(command, message).verdict is Verdict.LATER
        assert all(file.closed for file in message.files)
    assert not (tmp_path / "whole").exists()


def test_one_command_that_fails_does_not_keep_mail_from_the_next(tmp_path: Path) -> None:
    steps: list[Step] = [step(Pipe("false")), step(Pipe("/no/such")), step(Pipe("true"))]
    outcomes = PipeAgent().deliver(steps, Given())
    assert [outcomes[one.name].verdict for one in steps] == [Verdict.REFUSED, Verdict.LATER, Verdict.ACCEPTED]


def test_the_log_names_the_program_and_nothing_that_follows_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    deliver("/usr/bin/true --password=secret")
    deliver("/usr/bin/false --password=secret", Given(breaks=Unavailable()))
    lines = [record.getMessage() for record in caplog.records if record.name == "sesmail.fate"]
    assert len(lines) == 1
    assert "by=pipe program=true" in lines[0]
    assert "secret" not in caplog.text
