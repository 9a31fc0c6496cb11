"""Layouts of Go, each with what Go itself makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sesmail.mail.gotime import formatted

MORNING = datetime(2020, 8, 11, 7, 5, 9, 123_450, tzinfo=UTC)
EVENING = datetime(2021, 2, 3, 19, 30, 0, tzinfo=timezone(timedelta(hours=-3, minutes=-30), "NST"))


@pytest.mark.parametrize(
    ("layout", "written"),
    [
        ("20060102", "20200811"),
        ("2006/01/02", "2020/08/11"),
        ("Jan-2006", "Aug-2020"),
        ("mail/2006", "mail/2020"),
        ("archive/2006", "archive/2020"),
        ("January 2, 06", "August 11, 20"),
        ("Monday Mon Month Janus", "Tuesday Tue Month Janus"),
        ("MondayX JanX", "TuesdayX AugX"),
        ("1/_2/__2/002", "8/11/224/224"),
        ("15:04:05", "07:05:09"),
        ("3:4:5 PM pm", "7:5:9 AM am"),
        ("03h", "07h"),
        ("05.000 05,000000", "09.123 09,123450"),
        ("05.999999999 05.99", "09.12345 09.12"),
        ("05.0001", "09.00" + "08"),
        ("MST", "UTC"),
        ("-0700 -07:00 -07 -070000 -07:00:00", "+0000 +00:00 +00 +000000 +00:00:00"),
        ("Z0700 Z07:00 Z07 Z070000 Z07:00:00", "Z Z Z Z Z"),
        ("_2006_01", "_2020_08"),
        ("dateTimeFor", "dateTimeFor"),
        ("", ""),
    ],
)
def test_a_layout_is_what_go_makes_of_it(layout: str, written: str) -> None:
    assert formatted(layout, MORNING) == written


@pytest.mark.parametrize(
    ("layout", "written"),
    [
        ("_2 2 02", " 3 3 03"),
        ("__2 002", " 34 034"),
        ("3 03 PM pm", "7 07 PM pm"),
        ("05.999", "00"),
        ("05.000", "00.000"),
        ("-0700 -07:00 -07 Z0700 Z07:00", "-0330 -03:30 -03 -0330 -03:30"),
        ("MST", "NST"),
    ],
)
def test_small_numbers_and_other_zones_are_written_as_go_does(layout: str, written: str) -> None:
    assert formatted(layout, EVENING) == written


def test_noon_and_midnight_are_twelve() -> None:
    assert formatted("3PM", MORNING.replace(hour=0)) == "12AM"
    assert formatted("03PM", MORNING.replace(hour=12)) == "12PM"


def test_more_digits_than_a_nanosecond_has_are_zeros() -> None:
    assert formatted(".0000000000", MORNING) == ".1234500000"
