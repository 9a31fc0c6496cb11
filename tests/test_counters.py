"""Counters, gauges and histograms, and what several processes make together."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sesmail import counters
from sesmail.counters import Counter, Gauge, Histogram, lasting, merged, snapshot


class Made:
    """Families that are gone when the test is over."""

    def __init__(self, end: ExitStack) -> None:
        self._end = end

    def __call__(self, make: Callable[..., Any], name: str, *rest: Any, **options: Any) -> Any:
        family = make(name, "What it is.", *rest, **options)
        self._end.callback(family.forget)
        return family


@pytest.fixture
def made() -> Iterator[Made]:
    with ExitStack() as end:
        yield Made(end)


def values(name: str) -> Any:
    return snapshot()[name]["values"]


def test_a_counter_without_labels_is_there_before_anything_happens(made: Made) -> None:
    made(Counter, "t_total")
    assert values("t_total") == [[[], 0]]


def test_a_counter_counts_by_its_labels(made: Made) -> None:
    counter = made(Counter, "t_total", ("protocol", "result"))
    counter.expect(("pop3", "ok"))
    counter.add("pop3", "refused")
    counter.add("pop3", "refused", by=2)
    assert values("t_total") == [[["pop3", "ok"], 0], [["pop3", "refused"], 3]]
    assert counter.count("pop3", "refused") == 3


def test_labels_beyond_the_bound_are_counted_together(made: Made) -> None:
    counter = made(Counter, "t_total", ("who",), bound=2)
    for number in range(10):
        counter.add(f"user{number}")
    counter.add("user0")
    assert values("t_total") == [[["other"], 8], [["user0"], 2], [["user1"], 1]]


def test_the_wrong_number_of_labels_is_our_bug(made: Made) -> None:
    counter = made(Counter, "t_total", ("who",))
    with pytest.raises(ValueError, match="t_total has the labels"):
        counter.add()


def test_a_name_is_one_thing(made: Made) -> None:
    made(Counter, "t_total")
    with pytest.raises(ValueError, match="t_total is there already"):
        made(Counter, "t_total")


def test_a_counter_counts_every_thread(made: Made) -> None:
    counter = made(Counter, "t_total", ("who",))
    threads = [threading.Thread(target=lambda: [counter.add("x") for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.count("x") == 20000


def test_a_gauge_asks_its_sources_until_they_leave(made: Made) -> None:
    gauge = made(Gauge, "t", ("pool",))
    leave = gauge.read(lambda: {("a",): 1.0, ("b",): 2.0})
    gauge.read(lambda: {("a",): 5.0})
    assert values("t") == [[["a"], 6.0], [["b"], 2.0]]
    leave()
    leave()
    assert values("t") == [[["a"], 5.0]]


@pytest.mark.parametrize(("over", "all_of_them"), [("sum", 9), ("max", 7), ("min", 2)])
def test_a_gauge_says_what_several_sources_make(made: Made, over: str, all_of_them: float) -> None:
    gauge = made(Gauge, "t", over=over)
    gauge.read(lambda: 7)
    gauge.read(lambda: 2)
    assert values("t") == [[[], all_of_them]]
    assert merged([snapshot(), {}])["t"]["values"] == [[[], all_of_them]]


def test_a_source_that_fails_leaves_the_others(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    gauge = made(Gauge, "t")
    gauge.read(lambda: 1 / 0)
    gauge.read(lambda: 3)
    assert values("t") == [[[], 3]]
    assert "t could not be read" in caplog.text


def test_a_histogram_puts_each_into_its_bucket(made: Made) -> None:
    histogram = made(Histogram, "t_seconds", ("what",), (1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 99.0):
        histogram.observe(value, "get")
    assert snapshot()["t_seconds"]["buckets"] == [1.0, 2.0]
    assert values("t_seconds") == [[["get"], [2, 1, 1, 102.0]]]


def test_a_snapshot_goes_through_json_and_shares_nothing(made: Made) -> None:
    counter = made(Counter, "t_total")
    histogram = made(Histogram, "t_seconds")
    seen = snapshot()
    before = json.dumps(seen)
    counter.add()
    histogram.observe(1)
    assert json.dumps(seen) == before
    assert json.loads(before) == seen


def test_processes_are_added_up(made: Made) -> None:
    counter = made(Counter, "t_total", ("who",))
    histogram = made(Histogram, "t_seconds", (), (1.0,))
    counter.add("a")
    histogram.observe(0.5)
    one = snapshot()
    counter.add("b")
    histogram.observe(2)
    both = merged([one, json.loads(json.dumps(snapshot()))])
    assert both["t_total"]["values"] == [[["a"], 2], [["b"], 1]]
    assert both["t_seconds"]["values"] == [[[], [2, 1, 3.0]]]
    assert one["t_total"]["values"] == [[["a"], 1]]


def test_of_a_process_that_ended_only_what_happened_still_counts(made: Made) -> None:
    made(Counter, "t_total").add()
    made(Gauge, "t").read(lambda: 4)
    made(Histogram, "t_seconds").observe(1)
    left = lasting(snapshot())
    assert left["t_total"]["values"] == [[[], 1]]
    assert "t_seconds" in left
    assert "t" not in left


def test_another_layout_of_another_version_counts_without_it(made: Made) -> None:
    made(Counter, "t_total", ("who",)).add("a")
    ours = snapshot()
    theirs = {"t_total": {**ours["t_total"], "labels": ["who", "how"], "values": [[["a", "b"], 9]]}}
    assert merged([ours, theirs])["t_total"]["values"] == [[["a"], 1]]


def test_every_family_of_the_program_has_a_sentence_and_a_name_of_ours() -> None:
    for name, family in counters.snapshot().items():
        assert name.startswith("sesmail_")
        assert family["help"].endswith(".")
        assert (family["kind"] == "counter") == name.endswith("_total")
