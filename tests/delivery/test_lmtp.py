"""LMTP as a client: an outcome for each recipient, whatever the server says, and the message octet for octet."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesmail.delivery.lmtp import LmtpClient
from sesmail.delivery.lmtpsession import LmtpSettings
from sesmail.mail.outcome import Outcome, Verdict
from tests.delivery.scriptedlmtp import CLOSE, SILENCE, Scripted, saying
from tests.servers.certificates import Authority

_MAIL = b"From: jack@example.com\r\n\r\n.hello\r\n"
_LATER, _REFUSED, _ACCEPTED = Verdict.LATER, Verdict.REFUSED, Verdict.ACCEPTED


def client(server: Scripted, **changes: Any) -> LmtpClient:
    usual = LmtpSettings("127.0.0.1", server.port, hostname="us.example", timeout=5, patience=20)
    return LmtpClient(replace(usual, **changes))


def deliver(
    server: Scripted, *users: str, data: bytes = _MAIL, sender: str = "jack@example.com", **changes: Any
) -> Mapping[str, Outcome]:
    one = client(server, **changes)
    try:
        return one.deliver(sender, users or ("a",), io.BytesIO(data))
    finally:
        one.close()


def verdicts(outcomes: Mapping[str, Outcome]) -> dict[str, Verdict]:
    return {user: outcome.verdict for user, outcome in outcomes.items()}


def test_a_message_and_its_envelope_are_said_as_the_rfc_has_it() -> None:
    with saying() as server:
        outcomes = deliver(server, "a", "b@example.org")
        assert server.said == [
            "LHLO us.example",
            f"MAIL FROM:<jack@example.com> SIZE={len(_MAIL)} BODY=8BITMIME",
            "RCPT TO:<a>",
            "RCPT TO:<b@example.org>",
            "DATA",
            "QUIT",
        ]
        assert server.messages == [b"From: jack@example.com\r\n\r\n..hello\r\n.\r\n"]
    assert outcomes == dict.fromkeys(["a", "b@example.org"], Outcome(250, "2.1.5", "kept"))


def test_only_what_is_offered_is_used() -> None:
    with saying(LHLO="250 here") as server:
        deliver(server, sender="")
        assert server.said[1] == "MAIL FROM:<>"


def test_every_recipient_has_the_answer_that_was_given_for_him() -> None:
    script = {"END b": "552 5.2.2 over quota", "END c": "452 4.2.2 try later", "RCPT TO:<x>": "550 5.1.1 nobody"}
    with saying(script) as server:
        outcomes = deliver(server, "a", "x", "b", "c", "d")
        assert len(server.messages) == 1
    assert {user: outcome.reply for user, outcome in outcomes.items()} == {
        "a": "250 2.1.5 kept",
        "x": "550 5.1.1 nobody",
        "b": "552 5.2.2 over quota",
        "c": "452 4.2.2 try later",
        "d": "250 2.1.5 kept",
    }


def test_a_user_that_is_named_twice_gets_one_copy() -> None:
    with saying() as server:
        assert list(deliver(server, "a", "b", "a")) == ["a", "b"]
        assert [words for words in server.said if words.startswith("RCPT")] == ["RCPT TO:<a>", "RCPT TO:<b>"]


def test_nobody_taken_means_no_data() -> None:
    with saying(RCPT="550 nobody") as server:
        assert verdicts(deliver(server, "a", "b")) == {"a": _REFUSED, "b": _REFUSED}
        assert server.messages == []
        assert "DATA" not in server.said


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ({"MAIL": "451 4.3.0 later"}, _LATER),
        ({"MAIL": "552 5.3.4 too large"}, _REFUSED),
        ({"MAIL": "501 what?"}, _LATER),
        ({"MAIL": "354 what?"}, _LATER),
        ({"MAIL": "251 what?"}, _LATER),
        ({"RCPT": "450 4.2.1 later"}, _LATER),
        ({"RCPT": "550 5.1.1 nobody"}, _REFUSED),
        ({"RCPT": "552 too many"}, _LATER),
        ({"RCPT": "530 5.7.0 log in"}, _LATER),
        ({"RCPT": "354 what?"}, _LATER),
        ({"DATA": "451 4.3.0 later"}, _LATER),
        ({"DATA": "554 5.6.0 no"}, _REFUSED),
        ({"DATA": "503 what?"}, _LATER),
        ({"DATA": "250 what?"}, _LATER),
        ({"END": "451 4.3.0 later"}, _LATER),
        ({"END": "554 5.6.0 no"}, _REFUSED),
        ({"END": "250"}, _ACCEPTED),
        ({"END": "250-a\r\n250 b"}, _ACCEPTED),
        ({"END": "354 what?"}, _LATER),
        ({"END": "221 bye"}, _ACCEPTED),
        ({"GREETING": "554 go away"}, _LATER),
        ({"GREETING": "421 busy"}, _LATER),
        ({"LHLO": "500 what?"}, _LATER),
        ({"LHLO": "220 what?"}, _LATER),
        *[({step: "421 4.3.2 bye"}, _LATER) for step in ("MAIL", "RCPT", "DATA", "END")],
        *[({step: CLOSE}, _LATER) for step in ("GREETING", "LHLO", "MAIL", "RCPT", "DATA", "END")],
        *[({step: "HTTP/1.1 400 Bad Request"}, _LATER) for step in ("GREETING", "LHLO", "MAIL", "RCPT", "DATA", "END")],
        *[({step: "250-yes\r\n550 no"}, _LATER) for step in ("LHLO", "MAIL", "RCPT", "DATA", "END")],
        *[({step: "999 odd"}, _LATER) for step in ("GREETING", "LHLO", "MAIL", "RCPT", "DATA", "END")],
        *[({step: ""}, _LATER) for step in ("GREETING", "LHLO", "MAIL", "RCPT", "DATA", "END")],
        *[({step: "25 short"}, _LATER) for step in ("MAIL", "RCPT", "END")],
        *[({step: "2500 long"}, _LATER) for step in ("MAIL", "RCPT", "END")],
        *[({step: "250-x\r\n" * 200 + "250 x"}, _LATER) for step in ("LHLO", "MAIL", "RCPT", "END")],
        *[({step: "250 " + "x" * 5000}, _LATER) for step in ("LHLO", "MAIL", "RCPT", "END")],
        *[({step: "250 " + "x" * 100_000 + "|"}, _LATER) for step in ("LHLO", "MAIL", "RCPT", "END")],
        ({"END": "250 2.1.5 \x1b[2J\x00\xff"}, _ACCEPTED),
    ],
)
def test_every_odd_reply_has_an_outcome(script: dict[str, str], verdict: Verdict) -> None:
    with saying(script) as server:
        outcomes = deliver(server, "a", "b", timeout=1, patience=3)
    assert verdicts(outcomes) == {"a": verdict, "b": verdict}
    assert all(outcome.text.isascii() and len(outcome.text) <= 400 for outcome in outcomes.values())


def test_a_reply_about_our_own_words_alarms_and_refuses_nothing() -> None:
    with saying(RCPT="555 5.5.4 no such parameter") as server:
        assert deliver(server)["a"].alarm == "LMTP RCPT: 555 5.5.4 no such parameter"


def test_what_was_heard_before_the_trouble_holds() -> None:
    with saying({"RCPT TO:<x>": "550 nobody", "END b": CLOSE}) as server:
        assert verdicts(deliver(server, "x", "a", "b", "c")) == {"x": _REFUSED, "a": _ACCEPTED, "b": _LATER, "c": _LATER}


@pytest.mark.parametrize("reply", [SILENCE, "2~"])
@pytest.mark.parametrize("step", ["GREETING", "LHLO", "MAIL", "RCPT", "DATA", "END"])
def test_no_step_waits_for_ever(step: str, reply: str) -> None:
    began = time.monotonic()
    with saying({step: reply}) as server:
        assert verdicts(deliver(server, timeout=0.3)) == {"a": _LATER}
    assert time.monotonic() - began < 3


def test_all_steps_together_have_their_time() -> None:
    with saying(RCPT="2~") as server:
        began = time.monotonic()
        assert verdicts(deliver(server, "a", timeout=30, patience=0.4)) == {"a": _LATER}
    assert time.monotonic() - began < 3


def test_a_server_that_reads_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        one = LmtpClient(LmtpSettings("127.0.0.1", deaf.getsockname()[1], timeout=0.5))
        stop = threading.Event()

        def greet() -> None:
            connection, _ = deaf.accept()
            with connection:
                connection.sendall(b"220 here\r\n250 here\r\n250 yes\r\n250 yes\r\n354 go on\r\n"[:10])
                for reply in (b"250 here\r\n", b"250 yes\r\n", b"250 yes\r\n", b"354 go on\r\n"):
                    connection.recv(1000)
                    connection.sendall(reply)
                stop.wait(20)

        thread = threading.Thread(target=greet)
        thread.start()
        try:
            assert verdicts(one.deliver("", ["a"], io.BytesIO(b"x" * 20_000_000))) == {"a": _LATER}
        finally:
            stop.set()
            thread.join()


def test_nobody_there_is_a_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for settings_ in (
        LmtpSettings("127.0.0.1", port),
        LmtpSettings("/nonexistent/lmtp"),
        LmtpSettings("host.invalid"),
        LmtpSettings("x" * 80),
    ):
        assert verdicts(LmtpClient(settings_).deliver("", ["a"], io.BytesIO(_MAIL))) == {"a": _LATER}


def test_it_speaks_over_a_unix_socket(tmp_path: Path) -> None:
    with saying(path=tmp_path / "lmtp") as server:
        assert verdicts(deliver(server, host=str(tmp_path / "lmtp"))) == {"a": _ACCEPTED}


def test_one_conversation_carries_many_messages() -> None:
    with saying() as server:
        one = client(server)
        for number in range(5):
            assert verdicts(one.deliver("", ["a"], io.BytesIO(b"%d\r\n" % number))) == {"a": _ACCEPTED}
        assert server.connections == 1
        assert server.messages == [b"%d\r\n.\r\n" % number for number in range(5)]
        one.close()


def test_no_conversation_lasts_for_ever() -> None:
    with saying() as server:
        one = client(server)
        for _ in range(101):
            one.deliver("", ["a"], io.BytesIO(_MAIL))
        assert server.connections == 2
        one.close()


def test_a_conversation_that_waited_for_long_is_not_used() -> None:
    now = [0.0]
    with saying() as server:
        one = LmtpClient(LmtpSettings("127.0.0.1", server.port, timeout=5), clock=lambda: now[0])
        for _ in range(2):
            one.deliver("", ["a"], io.BytesIO(_MAIL))
            now[0] += 25
        assert server.connections == 2
        one.close()


def test_a_conversation_that_the_server_ended_is_begun_anew() -> None:
    with saying(MAIL=["250 yes", "421 idle for too long", "250 yes"]) as server:
        one = client(server)
        for _ in range(2):
            assert verdicts(one.deliver("", ["a"], io.BytesIO(_MAIL))) == {"a": _ACCEPTED}
        assert server.connections == 2
        one.close()


def test_a_fresh_conversation_is_not_tried_twice() -> None:
    with saying(MAIL=CLOSE) as server:
        assert verdicts(deliver(server)) == {"a": _LATER}
        assert server.connections == 1


def test_replies_that_nobody_asked_for_are_not_heard_as_the_next_messages() -> None:
    with saying(END=["250 yes\r\n550 5.1.1 nobody", "250 yes"]) as server:
        one = client(server)
        assert verdicts(one.deliver("", ["a"], io.BytesIO(_MAIL))) == {"a": _ACCEPTED}
        assert verdicts(one.deliver("", ["a", "b"], io.BytesIO(_MAIL))) == {"a": _ACCEPTED, "b": _ACCEPTED}
        assert server.connections == 2
        one.close()


def test_a_refusal_leaves_the_conversation_to_the_next_message() -> None:
    with saying(MAIL=["552 5.3.4 too large", "250 yes"], DATA=["554 no", "354 go on"]) as server:
        one = client(server)
        expected = (_REFUSED, _REFUSED, _ACCEPTED)
        assert [verdicts(one.deliver("", ["a"], io.BytesIO(_MAIL)))["a"] for _ in expected] == list(expected)
        assert server.connections == 1
        assert server.said.count("RSET") == 2
        one.close()


def test_many_recipients_go_in_several_transactions() -> None:
    users = [f"u{number}" for number in range(7)]
    with saying() as server:
        outcomes = deliver(server, *users, most=3)
        assert list(outcomes) == users
        assert set(verdicts(outcomes).values()) == {_ACCEPTED}
        assert len(server.messages) == 3
        assert len(set(server.messages)) == 1
        assert server.connections == 1


@pytest.mark.parametrize("user", ["a\r\nDATA", "é", "a\0b", "", "x" * 600])
def test_a_name_that_could_be_a_command_is_refused_alone(user: str) -> None:
    with saying() as server:
        assert verdicts(deliver(server, "a", user)) == {"a": _ACCEPTED, user: _REFUSED}
        assert [words for words in server.said if words.startswith("RCPT")] == ["RCPT TO:<a>"]


def test_a_sender_that_could_be_a_command_is_not_said() -> None:
    with saying() as server:
        assert verdicts(deliver(server, sender="a@example.com>\r\nQUIT")) == {"a": _REFUSED}
        assert server.said == []


class _Failing(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 65536:
            raise OSError("the disk is gone")
        return super().read(size)


def test_a_message_that_cannot_be_read_is_delivered_to_nobody() -> None:
    with saying() as server:
        one = client(server)
        with pytest.raises(OSError, match="the disk is gone"):
            one.deliver("", ["a"], _Failing(b"x" * 100_000))
        assert verdicts(one.deliver("", ["a"], io.BytesIO(_MAIL))) == {"a": _ACCEPTED}
        assert [message[-10:] for message in server.messages[:1]] == [b"broken off"]
        assert server.connections == 2
        one.close()


def test_reading_begins_where_the_message_stands() -> None:
    with saying() as server:
        one = client(server)
        message = io.BytesIO(b"not this" + _MAIL)
        message.seek(8)
        one.deliver("", ["a", "b"], message)
        one.close()
        assert server.messages == [b"From: jack@example.com\r\n\r\n..hello\r\n.\r\n"]
        assert f"SIZE={len(_MAIL)}" in server.said[1]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([b".", b"\r\n", b"\n", b"\r", b"a", b"\xff\0", b"x" * 65530, b"From "]), max_size=12))
def test_the_message_arrives_octet_for_octet(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    with saying() as server:
        assert verdicts(deliver(server, data=data)) == {"a": _ACCEPTED}
        (came,) = server.messages
    lines = (b"\r\n" + came.removesuffix(b".\r\n")).replace(b"\r\n.", b"\r\n")[2:]
    mended = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert lines in (mended, mended + b"\r\n")
    assert lines == mended or not mended.endswith(b"\r\n")


@pytest.mark.parametrize("how", ["implicit", "starttls"])
def test_tls_is_spoken_with_a_server_that_is_who_it_should_be(tmp_path: Path, how: str) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue("127.0.0.1")
    with saying(tls=tls, implicit=how == "implicit") as server:
        changes: dict[str, Any] = {"tls": how, "ca_file": str(authority.certificate)}
        assert verdicts(deliver(server, **changes)) == {"a": _ACCEPTED}
        assert server.said.count("LHLO us.example") == (2 if how == "starttls" else 1)
        assert verdicts(deliver(server, **changes, server_name="other.example")) == {"a": _LATER}
        assert verdicts(deliver(server, tls=how)) == {"a": _LATER}
        assert len(server.messages) == 1


def test_over_a_unix_socket_the_certificate_is_for_the_name_that_is_given(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with saying(path=tmp_path / "lmtp", tls=authority.issue("mail.example"), implicit=True) as server:
        changes: dict[str, Any] = {"host": str(tmp_path / "lmtp"), "tls": "implicit", "ca_file": str(authority.certificate)}
        assert verdicts(deliver(server, **changes, server_name="mail.example")) == {"a": _ACCEPTED}
        assert verdicts(deliver(server, **changes, server_name="other.example")) == {"a": _LATER}
        with pytest.raises(ValueError, match="must be given"):
            deliver(server, **changes)


def test_without_tls_where_it_was_asked_for_nothing_is_sent(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for reply in ("502 no", "220 go on\r\n250 injected"):
        with saying(tls=authority.issue("127.0.0.1"), STARTTLS=reply) as server:
            assert verdicts(deliver(server, tls="starttls", ca_file=str(authority.certificate), timeout=1)) == {"a": _LATER}
            assert not any(words.startswith("MAIL") for words in server.said)


def test_several_threads_deliver_at_a_time() -> None:
    with saying() as server:
        one = client(server)
        found: list[dict[str, Verdict]] = []

        def some(number: int) -> None:
            for _ in range(10):
                found.append(verdicts(one.deliver("", [f"u{number}"], io.BytesIO(b"%d\r\n" % number))))

        threads = [threading.Thread(target=some, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one.close()
        assert len(found) == len(server.messages) == 40
        assert {verdict for outcome in found for verdict in outcome.values()} == {_ACCEPTED}
        assert server.connections <= 8
