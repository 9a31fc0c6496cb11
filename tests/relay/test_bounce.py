"""Reports: to the sender's own mailbox, once, and never about a report."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path
from typing import Any

import pytest

from sesmail.errors import Unavailable
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from tests.relay.post import BEGAN, EVERYWHERE, LATER, MESSAGE, NO, OK, SENDER, Post, each, every, opened, to, turns

BOB, EVE = "bob@example.net", "eve@example.net"
DAY = 86_400.0


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "spool", every(NO))


def parsed(octets: bytes) -> Any:
    return email.message_from_bytes(octets, policy=email.policy.default)


def test_a_report_names_recipient_reply_and_header_but_not_the_body(post: Post) -> None:
    post.courier.say = each({BOB: OK, EVE: NO})
    with opened(post):
        post.queue.attempt(post.accept(to(BOB, EVE)))
    ((envelope, octets),) = post.mailbox.got
    assert envelope == Envelope("", (SENDER,))
    report = parsed(octets)
    assert (report["To"], report["Auto-Submitted"], report.get_content_type()) == (SENDER, "auto-replied", "multipart/report")
    words, status, header = report.iter_parts()
    assert "550 5.1.1 no such user" in words.get_content()
    per_message, per_recipient = status.get_payload()
    assert per_message["Reporting-MTA"] == "dns; mail.example.com"
    assert per_recipient["Final-Recipient"] == f"rfc822; {EVE}"
    assert per_recipient["Action"] == "failed"
    assert b"Subject: one" in header.as_bytes()
    assert b"body" not in octets.split(b"text/rfc822-headers")[1]


def test_several_failures_are_one_report(post: Post) -> None:
    with opened(post):
        post.queue.attempt(post.accept(to(BOB, EVE)))
    ((_, octets),) = post.mailbox.got
    assert octets.count(b"Final-Recipient:") == 2


def test_nothing_is_returned_where_nothing_is_to_be_and_the_log_says_so(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    with opened(post):
        id = post.accept(to(BOB, returns=""))
        post.queue.attempt(id)
        assert post.names(*EVERYWHERE) == []
    assert post.mailbox.got == []
    assert f"returned id={id} account=ann sender=ann@example.com to=bob@example.net" in caplog.text
    assert "nobody, as nothing is returned to a null sender" in caplog.text


@pytest.mark.parametrize("trouble", [every(LATER), every(NO), lambda envelope, message: {}])
def test_a_report_that_the_mailbox_does_not_take_is_a_message_of_its_own(post: Post, trouble: object) -> None:
    post.mailbox.say = turns(trouble, every(OK))  # type: ignore[arg-type]
    with opened(post):
        post.queue.attempt(post.accept())
        (name,) = post.names(*EVERYWHERE)
        assert name.startswith("queue/")
        post.run(BEGAN + DAY)
        assert post.names(*EVERYWHERE) == []
    (first, second) = post.mailbox.got
    assert first == second
    assert len(post.courier.got) == 1, "a report goes to nobody but deliver"


def test_a_mailbox_that_fails_is_a_later(post: Post) -> None:
    def broken(envelope: Envelope, message: bytes) -> dict[str, Outcome]:
        raise Unavailable

    post.mailbox.say = turns(broken, broken, every(OK))
    with opened(post):
        post.queue.attempt(post.accept())
        post.run(BEGAN + DAY)
        assert post.names(*EVERYWHERE) == []
    assert len(post.mailbox.got) == 3


@pytest.mark.parametrize("answer", [NO, LATER])
def test_a_report_that_nobody_takes_is_held_and_never_reported(
    post: Post, answer: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    post.mailbox.say = every(answer)
    with opened(post):
        post.queue.attempt(post.accept())
        post.run(BEGAN + 3 * DAY)
        (held, state) = post.names(*EVERYWHERE)
        assert (held[:5], state[:6]) == ("held/", "state/")
        assert post.queue.next_due() is None
    assert len(post.courier.got) == 1
    assert {envelope for envelope, _ in post.mailbox.got} == {Envelope("", (SENDER,))}
    assert len({octets for _, octets in post.mailbox.got}) == 1
    assert f'held id={held[5:]} sender="" why="a report that cannot be delivered"' in caplog.text


def test_whoever_is_refused_at_another_time_is_another_report(post: Post) -> None:
    post.courier.say = turns(each({BOB: NO, EVE: LATER}), each({EVE: NO}))
    with opened(post):
        post.queue.attempt(post.accept(to(BOB, EVE)))
        post.run(BEGAN + DAY)
        assert post.names(*EVERYWHERE) == []
    first, second = (octets for _, octets in post.mailbox.got)
    assert (BOB.encode() in first, EVE.encode() in first) == (True, False)
    assert (BOB.encode() in second, EVE.encode() in second) == (False, True)


def test_every_recipient_that_was_sent_to_is_in_the_log_with_the_next_hops_id_and_the_message_id(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sesmail.fate")
    many = [f"recipient-number-{number}@example.net" for number in range(60)]
    ids = {one: Outcome(250, "2.0.0", "Ok", id=f"ses-{int(number < 50)}") for number, one in enumerate(many)}
    post.courier.say = each(ids)
    with opened(post):
        id = post.accept(to(*many))
        post.queue.attempt(id)
    lines = [record.getMessage() for record in caplog.records if record.name == "sesmail.fate"]
    assert all(line.startswith(f"sent id={id} account=ann sender=ann@example.com to=") for line in lines)
    assert all(' original="<1@example.com>"' in line for line in lines)
    for number, one in enumerate(many):
        (line,) = [line for line in lines if f"{one}," in line or f'{one}"' in line or f"{one} " in line]
        assert f"next_id=ses-{int(number < 50)}" in line


def test_no_octet_of_a_body_is_in_the_log(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    post.courier.say = turns(every(LATER), every(OK))
    with opened(post):
        post.queue.attempt(post.accept(message=MESSAGE + b"Message-ID: secret-body\r\n"))
        post.queue.attempt(post.accept(message=b"Subject: none\r\n\r\nMessage-ID: secret-body\r\n"))
        post.run(BEGAN + DAY)
    assert "secret-body" not in caplog.text
