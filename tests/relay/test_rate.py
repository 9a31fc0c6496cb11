"""The sending rate: never faster than allowed, nobody left behind, no busy loop, and no mail lost when the quota is not known."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.errors import Unavailable
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.pace import MODEST, Pace, Quota
from sesmail.relay.rate import Rate
from sesmail.relay.rated import PATIENCE, RatedCourier
from tests.relay.post import LATER, OK, Hop, every, to, turns

TOO_FAST = Outcome(451, "4.7.1", "too fast")
DAILY = Outcome(452, "4.5.3", "the daily quota is used up", wait=900, alarm="daily quota")


@dataclass
class World:
    """A clock, and what the next hop says its quota is."""

    quota: Quota = field(default_factory=lambda: Quota(10, None, 0, True))
    now: float = 1000.0
    asked: int = 0
    trouble: Exception | None = None

    def ask(self) -> Quota:
        self.asked += 1
        if self.trouble:
            raise self.trouble
        return self.quota

    def rate(self, override: float | None = None) -> Rate:
        return Rate(self.ask, Pace(now=lambda: self.now, override=override))

    def pace(self) -> Pace:
        pace = Pace(now=lambda: self.now)
        pace.learn(self.quota)
        return pace

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def world() -> World:
    return World()


def test_a_full_bucket_gives_a_seconds_worth_at_once_and_then_one_after_the_other(world: World) -> None:
    rate = world.rate()
    assert [rate.take(1) for _ in range(10)] == [0.0] * 10
    assert [rate.take(1) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    world.now += 100
    assert [rate.take(1) for _ in range(11)] == pytest.approx([0.0] * 10 + [0.1])


def test_many_recipients_go_at_once_and_those_who_come_after_pay(world: World) -> None:
    rate = world.rate()
    assert rate.take(45) == 0.0
    assert rate.take(1) == pytest.approx(3.6)


@given(
    st.floats(0.1, 100),
    st.lists(st.tuples(st.integers(1, 60), st.floats(0, 20)), min_size=1, max_size=40),
)
def test_in_no_stretch_of_time_more_goes_than_the_bucket_holds_and_gets(
    per_second: float, takes: list[tuple[int, float]]
) -> None:
    world = World(Quota(per_second, None, 0, True))
    rate = world.rate()
    sent: list[tuple[float, int]] = []
    for count, pause in takes:
        world.now += pause
        wait = rate.take(count)
        if wait <= PATIENCE:
            sent.append((world.now + wait, count))
    burst = max(per_second, 1.0)
    for first, (start, _) in enumerate(sent):
        for last, (end, largest) in enumerate(sent[first:], first):
            # The last one may be larger than the bucket: it is paid for by those who come after it.
            before = sum(count for _, count in sent[first:last])
            assert before + min(largest, burst) <= burst + per_second * (end - start) + max(count for _, count in sent) + 1e-6


def test_who_must_wait_long_comes_back_and_finds_his_place_kept(world: World) -> None:
    rate = world.rate()
    rate.take(100)
    wait = rate.take(10, "first")
    assert wait == pytest.approx(10)
    newcomers = [rate.take(10, f"newcomer {number}") for number in range(5)]
    assert newcomers == pytest.approx([11, 12, 13, 14, 15])
    world.now += wait
    assert rate.take(10, "first") == 0.0
    assert rate.take(10, "first") > PATIENCE, "his place is his once"


def test_who_comes_too_early_waits_for_his_place_and_takes_no_second_one(world: World) -> None:
    rate = world.rate()
    rate.take(100)
    assert rate.take(10, "first") == pytest.approx(10)
    world.now += 4
    assert rate.take(10, "first") == pytest.approx(6)
    world.now += 2
    assert rate.take(10, "first") == pytest.approx(4)
    assert rate.take(10, "next") == pytest.approx(5)


def test_nobody_starves_however_many_newcomers_there_are(world: World) -> None:
    rate, waiting, served = world.rate(), {f"old {number}": 0.0 for number in range(20)}, list[str]()
    for second in range(60):
        for number in range(12):
            rate.take(1, f"new {second} {number}")
        for name, due in list(waiting.items()):
            if due <= world.now:
                wait = rate.take(1, name)
                if wait <= PATIENCE:
                    served.append(name)
                    del waiting[name]
                else:
                    waiting[name] = world.now + wait
        world.now += 1
    assert len(served) == 20


def test_a_place_that_nobody_takes_is_given_up_in_time(world: World) -> None:
    pace = world.pace()
    for number in range(1000):
        pace.take(10, number)
        world.now += 10
    assert len(pace._places) < 100


def test_a_line_that_is_too_long_takes_nobody_more(world: World) -> None:
    pace = world.pace()
    waits = [pace.take(100, number) for number in range(200)]
    assert max(waits) == 900
    assert len(pace._places) < 100


def test_the_quota_is_asked_every_few_minutes_and_not_more(world: World) -> None:
    rate = world.rate()
    for _ in range(100):
        rate.take(1)
    assert world.asked == 1
    world.now += 299
    rate.take(1)
    assert world.asked == 1
    world.now += 1
    rate.take(1)
    assert world.asked == 2


def test_a_quota_that_cannot_be_asked_stops_no_mail(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.trouble = Unavailable(cause="no permission")
    rate = world.rate()
    assert [rate.take(1) for _ in range(int(MODEST))] == [0.0] * int(MODEST)
    assert rate.take(1) == pytest.approx(1 / MODEST)
    assert world.asked == 1
    assert "the sending quota is not known" in caplog.text
    world.trouble, world.now = None, world.now + 60
    assert [rate.take(1) for _ in range(10)] == [0.0] * 10


def test_a_quota_that_cannot_be_asked_any_more_stays_what_it_was(world: World) -> None:
    rate = world.rate()
    rate.take(1)
    world.trouble, world.now = Unavailable(), world.now + 301
    assert [rate.take(1) for _ in range(10)] == [0.0] * 10


def test_while_one_asks_for_the_quota_the_others_go_on(world: World) -> None:
    inside, go = threading.Event(), threading.Event()

    def slow() -> Quota:
        inside.set()
        assert go.wait(10)
        return world.quota

    rate = Rate(slow, Pace(now=lambda: world.now))
    asking = threading.Thread(target=rate.take, args=(1,))
    asking.start()
    assert inside.wait(10)
    assert rate.take(1) == 0.0
    go.set()
    asking.join()


def test_what_the_config_says_goes_before_the_quota(world: World) -> None:
    rate = world.rate(override=2)
    assert [rate.take(1) for _ in range(3)] == pytest.approx([0, 0, 0.5])


def test_a_day_that_is_used_up_waits_for_the_next_ones_share(world: World) -> None:
    world.quota = Quota(10, 200, 198, True)
    rate = world.rate()
    assert (rate.take(1), rate.take(1)) == (0.0, 0.0)
    wait = rate.take(1)
    assert 300 <= wait <= 3600
    world.quota, world.now = Quota(10, 200, 150, True), world.now + wait
    assert rate.take(1) == 0.0


def test_more_recipients_than_a_day_has_go_when_the_day_is_fresh(world: World) -> None:
    world.quota = Quota(1, 200, 0, True)
    assert world.rate().take(300) == 0.0


def test_sending_that_is_switched_off_waits_minutes(world: World) -> None:
    world.quota = Quota(10, None, 0, False)
    rate = world.rate()
    assert rate.take(1) == 300
    world.quota, world.now = Quota(10, None, 0, True), world.now + 300
    assert rate.take(1) == 0.0


def test_a_throttle_stops_everybody_then_slows_them_for_a_minute_and_asks_for_the_quota(world: World) -> None:
    rate = world.rate()
    rate.take(1)
    rate.throttled()
    rate.throttled()
    assert rate.take(1) == pytest.approx(1.0)
    world.now += 20
    waits = [rate.take(1) for _ in range(8)]
    assert waits == pytest.approx([0, 0, 0, 0, 0, 0.2, 0.4, 0.6]), "half as fast, for two who were told at once count once"
    world.now += 45
    assert world.asked == 1
    assert [rate.take(1) for _ in range(11)] == pytest.approx([0] * 10 + [0.1])
    assert world.asked == 2


def test_a_throttle_that_goes_on_slows_down_to_a_sixteenth_and_recovers(world: World) -> None:
    rate = world.rate()
    for _ in range(20):
        rate.throttled()
        world.now += 2
    world.now += 10
    assert [rate.take(1), rate.take(1)] == pytest.approx([0.0, 1.6])
    world.now += 600
    assert [rate.take(1) for _ in range(10)] == [0.0] * 10


def courier(world: World, say: Callable[[Envelope, bytes], Mapping[str, Outcome]]) -> tuple[RatedCourier, Hop]:
    hop = Hop(say)
    return RatedCourier(hop, world.rate(), world.pause), hop


def test_a_courier_waits_a_little_in_its_thread(world: World) -> None:
    rated, hop = courier(world, every(OK))
    began = world.now
    for _ in range(3):
        assert rated.send(to(*[f"{n}@example.net" for n in range(20)]), io.BytesIO(b"x"))["0@example.net"] == OK
    assert len(hop.got) == 3
    assert world.now - began == pytest.approx(4.0)


def test_a_courier_that_would_wait_long_does_not_ask_and_says_when_to_come_back(world: World) -> None:
    rated, hop = courier(world, every(OK))
    rated.send(to(*[f"{n}@example.net" for n in range(100)]), io.BytesIO(b"x"))
    outcome = rated.send(to(), io.BytesIO(b"x"))["bob@example.net"]
    assert (outcome.code, outcome.tried) == (451, False)
    assert outcome.wait == pytest.approx(9.1)
    assert len(hop.got) == 1
    world.now += outcome.wait or 0
    assert rated.send(to(), io.BytesIO(b"x")) == {"bob@example.net": OK}


@pytest.mark.parametrize(("throttle", "pause"), [(TOO_FAST, 1.0), (DAILY, 900.0)])
def test_a_throttle_answer_slows_everybody(world: World, throttle: Outcome, pause: float) -> None:
    rated, _ = courier(world, turns(every(throttle), every(OK)))
    assert rated.send(to(), io.BytesIO(b"x")) == {"bob@example.net": throttle}
    began = world.now
    outcomes = rated.send(to(), io.BytesIO(b"x"))["bob@example.net"]
    assert world.now - began == pytest.approx(pause) or outcomes.wait == pytest.approx(pause)


@pytest.mark.parametrize(
    "other", [LATER, Outcome(452, "4.5.3", "too many recipients"), Outcome(451, "4.7.1", "sending is paused", alarm="paused")]
)
def test_another_failure_slows_nobody(world: World, other: Outcome) -> None:
    rated, _ = courier(world, turns(every(other), every(OK)))
    began = world.now
    for _ in range(10):
        rated.send(to(), io.BytesIO(b"x"))
    assert world.now == began


def test_a_hop_that_throttles_for_a_minute_is_asked_a_few_times_only(world: World) -> None:
    began = world.now

    def throttle(envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
        return dict.fromkeys(envelope.recipients, TOO_FAST if world.now < began + 60 else OK)

    rated, hop = courier(world, throttle)
    due = {f"{number}@example.net": world.now for number in range(50)}
    while due:
        name = min(due, key=lambda one: due[one])
        world.now = max(world.now, due[name])
        outcome = rated.send(to(name), io.BytesIO(b"x"))[name]
        if outcome == OK:
            del due[name]
        else:
            due[name] = world.now + (outcome.wait if not outcome.tried else 60.0)  # type: ignore[operator]
    assert len(hop.got) < 50 + 60
    assert world.now < began + 300
