"""Attempts and what follows from them: who is tried again and when, who hears of a refusal, what stays."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.errors import Limited
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay.queue import Ear, answer
from sesmail.relay.retry import JITTER, Retry
from sesmail.relay.schedule import Schedule
from tests.relay.post import BEGAN, EVERYWHERE, LATER, MESSAGE, NO, OK, Post, each, every, opened, to, turns

BOB, EVE, JOE = "bob@example.net", "eve@example.net", "joe@example.net"
DAY = 86_400.0


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "spool")


def test_an_accepted_message_leaves_nothing_behind(post: Post) -> None:
    with opened(post):
        id = post.accept(to(BOB, EVE))
        assert post.queue.attempt(id, Ear()) == {BOB: OK, EVE: OK}
        assert post.names(*EVERYWHERE) == []
        assert post.queue.next_due() is None
    assert post.courier.got == [(to(BOB, EVE), MESSAGE)]


def test_what_comes_later_is_tried_again_until_it_goes(post: Post) -> None:
    post.courier.say = turns(every(LATER), every(LATER), every(OK))
    with opened(post):
        assert post.queue.attempt(post.accept(), Ear()) == {BOB: LATER}
        times = post.run(BEGAN + DAY)
        assert times == [BEGAN + 60, BEGAN + 180]
        assert post.names(*EVERYWHERE) == []


def test_only_those_who_have_not_got_it_are_tried_again(post: Post) -> None:
    post.courier.say = turns(each({BOB: OK, EVE: LATER, JOE: NO}), every(OK))
    with opened(post):
        post.queue.attempt(post.accept(to(BOB, EVE, JOE)))
        post.run(BEGAN + DAY)
    assert post.courier.recipients() == [BOB, EVE, JOE, EVE]
    assert len(post.mailbox.got) == 1


def test_a_restart_keeps_attempts_outcomes_and_the_time(post: Post, tmp_path: Path) -> None:
    post.courier.say = each({BOB: OK, EVE: LATER})
    with opened(post):
        post.queue.attempt(post.accept(to(BOB, EVE)))
        post.run(BEGAN + 60)
    again = Post(tmp_path / "spool")
    again.now = BEGAN + 100
    with opened(again):
        assert again.queue.next_due() == BEGAN + 180
        assert again.work() == []
        again.now = BEGAN + 180
        assert len(again.work()) == 1
    assert again.courier.recipients() == [EVE]


def test_a_time_far_ahead_is_that_of_a_wrong_clock(post: Post, tmp_path: Path) -> None:
    post.courier.say = every(LATER)
    with opened(post):
        post.now = BEGAN + 1000 * DAY
        post.queue.attempt(post.accept())
    again = Post(tmp_path / "spool")
    with opened(again):
        assert again.queue.next_due() == BEGAN + DAY


def test_a_message_whose_attempt_was_broken_off_is_sent_again_and_said_so(
    post: Post, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(post):
        id = post.accept()
    again = Post(tmp_path / "spool")
    with opened(again):
        assert again.work() == [id]
    assert f"message {id} may have been sent before the last stop, and is sent again" in caplog.text


def test_a_promised_attempt_that_nobody_makes_is_made_by_the_worker_without_doubt(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(post):
        id = post.accept()
        assert post.work() == []
        post.now += 60
        assert post.work() == [id]
    assert "may have been sent" not in caplog.text


def test_each_attempt_is_numbered_and_its_end_recorded(post: Post) -> None:
    post.courier.say = every(LATER)
    with opened(post):
        id = post.accept()
        for number in (1, 2, 3):
            post.queue.attempt(id)
            with post.spool.take(id) as message:
                assert (message.record.progress.attempt, message.state.ended, message.state.tries) == (number,) * 3
                assert not message.in_doubt


def test_due_gives_each_message_once_the_longest_due_first_and_again_when_nobody_took_it(post: Post) -> None:
    with opened(post):
        first = post.queue.send(to(), io.BytesIO(b"1"))
        post.now += 1
        second = post.queue.send(to(), io.BytesIO(b"2"))
        post.now += 1
        assert post.queue.due(limit=1) == [first]
        assert post.queue.due() == [second]
        assert post.queue.due() == []
        post.now += 60
        assert post.queue.due() == [first, second]


def test_due_leaves_out_what_is_being_sent(post: Post) -> None:
    with opened(post):
        id = post.queue.send(to(), io.BytesIO(b"1"))
        with post.spool.take(id):
            assert post.queue.due() == []
        post.now += 60
        assert post.queue.due() == [id]


def test_send_is_durable_and_due_at_once(post: Post) -> None:
    with opened(post):
        id = post.queue.send(to(), io.BytesIO(MESSAGE * 10_000))
        assert post.names(*EVERYWHERE) == [f"queue/{id}"]
        assert post.work() == [id]
    assert post.courier.got == [(to(), MESSAGE * 10_000)]


def test_send_leaves_nothing_when_its_file_breaks_off(post: Post) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with opened(post):
        with pytest.raises(OSError, match="Input/output"):
            post.queue.send(to(), Broken())  # type: ignore[arg-type]
        assert post.names(*EVERYWHERE) == []


def test_a_courier_that_fails_is_a_later_for_everybody(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    def broken(envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
        raise ZeroDivisionError("oops")

    post.courier.say = turns(broken, every(OK))
    with opened(post):
        outcomes = post.queue.attempt(post.accept())
        assert outcomes[BOB].verdict is Verdict.LATER
        assert "oops" not in outcomes[BOB].reply
        post.run(BEGAN + DAY)
        assert post.names(*EVERYWHERE) == []
    assert "ZeroDivisionError: oops" in caplog.text


def test_a_recipient_without_an_answer_is_tried_again_and_one_that_nobody_asked_for_is_nothing(post: Post) -> None:
    post.courier.say = turns(lambda envelope, message: {BOB: OK, "x@example.org": NO}, every(OK))
    with opened(post):
        outcomes = post.queue.attempt(post.accept(to(BOB, EVE)))
        assert (outcomes[BOB], outcomes[EVE].verdict) == (OK, Verdict.LATER)
        assert set(outcomes) == {BOB, EVE}
        post.run(BEGAN + DAY)
    assert post.courier.recipients() == [BOB, EVE, EVE]
    assert post.mailbox.got == []


def test_two_attempts_at_a_time_are_one(post: Post) -> None:
    inside, go = threading.Event(), threading.Event()

    def slow(envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
        inside.set()
        assert go.wait(10)
        return {BOB: OK}

    post.courier.say = slow
    with opened(post):
        id = post.accept()
        thread = threading.Thread(target=post.queue.attempt, args=(id,))
        thread.start()
        assert inside.wait(10)
        assert post.queue.attempt(id) == {}
        go.set()
        thread.join()
        assert post.queue.attempt(id) == {}
    assert len(post.courier.got) == 1


def test_what_another_process_put_in_and_could_not_send_is_found_within_minutes(post: Post, tmp_path: Path) -> None:
    with opened(post):
        visitor = Post(tmp_path / "spool", every(LATER))
        visitor.spool.join()
        id = visitor.accept()
        visitor.queue.attempt(id)
        visitor.spool.close()
        assert post.work() == []
        post.now += 300
        assert post.work() == [id]
        assert post.names(*EVERYWHERE) == []


# When to try again


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_waits_double_from_the_first_to_the_longest_within_the_jitter(tries: int, chance: float) -> None:
    retry = Retry(first=60, longest=3600)
    middle = min(60 * 2 ** (tries - 1), 3600)
    assert (1 - JITTER) * middle <= retry.wait(tries, lambda: chance) <= (1 + JITTER) * middle


def test_what_fails_for_two_days_is_tried_at_most_once_an_hour_or_so(post: Post) -> None:
    post.courier.say = every(LATER)
    with opened(post):
        post.queue.attempt(post.accept())
        times = post.run(BEGAN + 3 * DAY)
        assert post.names(*EVERYWHERE) == []
    assert 48 < len(times) < 60
    # The last attempt is made when the time is over, not before.
    assert times[-1] == BEGAN + 2 * DAY
    (report,) = post.mailbox.got
    assert b"5.4.7" in report[1]
    assert b"not now" in report[1]


@given(st.floats(0, 10 * DAY) | st.none(), st.integers(1, 60))
def test_the_next_attempt_is_neither_earlier_than_the_hop_asked_nor_after_the_end(wait: float | None, tries: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        post = Post(Path(folder), every(Outcome(451, "4.7.1", "slow down", wait=wait)))
        with opened(post):
            id = post.accept()
            with post.spool.take(id) as message:
                message.begin(post.now)
                message.state.tries = tries - 1
                message.keep(post.now)
            post.queue.attempt(id)
            due = post.queue.next_due()
            assert due is not None
            backoff = min(60.0 * 2 ** (tries - 1), 3600)
            assert due == pytest.approx(min(BEGAN + max(wait or 0, backoff), BEGAN + 2 * DAY))


def test_a_message_that_waits_for_its_turn_comes_back_just_then_and_does_not_count(post: Post) -> None:
    turn = Outcome(451, "4.7.1", "waits", wait=7, tried=False)
    post.courier.say = turns(every(turn), every(turn), every(LATER), every(OK))
    with opened(post):
        post.queue.attempt(post.accept())
        assert post.run(BEGAN + DAY) == [BEGAN + 7, BEGAN + 14, BEGAN + 14 + 60]


# Who hears of a refusal


def test_a_client_that_waits_hears_the_refusal_and_gets_no_report(post: Post) -> None:
    post.courier.say = every(NO)
    with opened(post):
        assert post.queue.attempt(post.accept(to(BOB, EVE)), Ear()) == {BOB: NO, EVE: NO}
        assert post.names(*EVERYWHERE) == []
    assert post.mailbox.got == []


def test_a_client_that_has_gone_gets_a_report(post: Post) -> None:
    post.courier.say = every(NO)
    ear = Ear()
    assert ear.gives_up()
    with opened(post):
        post.queue.attempt(post.accept(), ear)
        assert post.names(*EVERYWHERE) == []
    assert len(post.mailbox.got) == 1


@pytest.mark.parametrize("others", [{BOB: OK}, {BOB: LATER}, {BOB: OK, JOE: LATER}])
def test_whoever_is_refused_beside_others_is_reported_and_the_client_hears_250(
    post: Post, others: Mapping[str, Outcome]
) -> None:
    post.courier.say = each({**others, EVE: NO})
    ear = Ear()
    with opened(post):
        id = post.accept(to(*others, EVE))
        outcomes = post.queue.attempt(id, ear)
        assert answer(id, outcomes).code == 250
        assert ear.gives_up(), "the ear was not claimed"
    (report,) = post.mailbox.got
    assert report[0] == Envelope("", ("ann@example.com",))
    assert b"eve@example.net" in report[1]
    assert b"bob@example.net" not in report[1].replace(b"To: bob", b"")


def test_a_refusal_in_a_later_attempt_is_reported(post: Post) -> None:
    post.courier.say = turns(every(LATER), every(NO))
    with opened(post):
        post.queue.attempt(post.accept(), Ear())
        post.run(BEGAN + DAY)
        assert post.names(*EVERYWHERE) == []
    assert len(post.mailbox.got) == 1


def test_an_ear_is_won_once() -> None:
    for first, second in ((Ear.hears, Ear.gives_up), (Ear.gives_up, Ear.hears), (Ear.hears, Ear.hears)):
        ear = Ear()
        assert first(ear)
        assert not second(ear)


@given(st.lists(st.sampled_from(["hears", "gives_up"]), min_size=2, max_size=8))
def test_of_any_number_of_threads_one_wins_an_ear(calls: list[str]) -> None:
    ear, barrier, won = Ear(), threading.Barrier(len(calls)), list[bool]()

    def claim(call: str) -> None:
        barrier.wait()
        won.append(getattr(ear, call)())

    threads = [threading.Thread(target=claim, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(won) == 1


@given(st.dictionaries(st.sampled_from([BOB, EVE, JOE]), st.sampled_from([OK, LATER, NO]), min_size=1), st.booleans())
def test_each_refused_recipient_is_told_of_exactly_once_and_no_other(outcomes: dict[str, Outcome], gone: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        post = Post(Path(folder), each(outcomes))
        ear = Ear()
        with opened(post):
            id = post.accept(to(*outcomes))
            if gone:
                ear.gives_up()
            said = answer(id, post.queue.attempt(id, ear))
        refused = {one for one, outcome in outcomes.items() if outcome is NO}
        heard = refused if said.code == 550 and not gone else set()
        reported = {one for _, report in post.mailbox.got for one in refused if one.encode() in report}
        assert heard | reported == refused
        assert not heard & reported


def test_a_refused_message_that_cannot_be_removed_is_not_refused_to_the_client(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.courier.say = every(NO)
    with opened(post):
        id = post.accept()
        real = os.unlink

        def unlink(name: str, *, dir_fd: int) -> None:
            if name == id and dir_fd == post.spool.folders.queue.fd:
                raise PermissionError(1, "Operation not permitted")
            real(name, dir_fd=dir_fd)

        monkeypatch.setattr(os, "unlink", unlink)
        outcomes = post.queue.attempt(id, Ear())
        assert answer(id, outcomes).code == 250
        assert post.mailbox.got == []
        monkeypatch.undo()
        post.run(BEGAN + DAY)
        assert post.names(*EVERYWHERE) == []
    assert len(post.mailbox.got) == 1


# The answer


def test_the_answer_is_a_refusal_only_if_everybody_was_refused() -> None:
    assert answer("id0001", {BOB: NO, EVE: NO}) == NO
    assert answer("id0001", {BOB: NO, EVE: OK}) == Outcome(250, "2.0.0", "Ok ses-1", id="ses-1")
    assert answer("id0001", {BOB: NO, EVE: LATER}) == Outcome(250, "2.0.0", "Ok queued as id0001")
    assert answer("id0001", {}) == Outcome(250, "2.0.0", "Ok queued as id0001")


# The schedule


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.floats(0, 100)) | st.tuples(st.sampled_from("abcdef"), st.none()), max_size=60
    ),
    st.floats(0, 100),
    st.integers(1, 10),
)
def test_a_schedule_gives_what_a_sorted_list_would(steps: list[tuple[str, float | None]], now: float, limit: int) -> None:
    schedule, model = Schedule(), dict[str, float]()
    for id, due in steps:
        if due is None:
            schedule.drop(id)
            model.pop(id, None)
        else:
            schedule.put(id, due)
            model[id] = due
    assert (len(schedule), schedule.next()) == (len(model), min(model.values(), default=None))
    expected = sorted((due, id) for id, due in model.items() if due <= now)[:limit]
    assert schedule.take(now, limit, 60, lambda id: False) == [id for _, id in expected]
    assert schedule.take(now, limit, 60, lambda id: False) == [
        id for _, id in sorted((due, id) for id, due in model.items() if due <= now)[limit : 2 * limit]
    ]


def test_a_schedule_does_not_grow_by_being_changed() -> None:
    schedule = Schedule()
    for number in range(100_000):
        schedule.put("aaaaaa", float(number))
    assert schedule.next() == 99_999
    assert len(schedule._heap) < 2_000


# Without room


def test_too_little_room_refuses_what_is_new_before_anything_is_written(tmp_path: Path) -> None:
    post = Post(tmp_path / "spool", reserve=1 << 60)
    with opened(post):
        with pytest.raises(Limited) as caught:
            post.accept()
        assert caught.value.smtp == "452 4.3.1"
        assert post.names(*EVERYWHERE) == []
