"""Times as a layout of Go's package time has them, which is how mailtos3 writes dates into keys (https://pkg.go.dev/time#Layout)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

# In the order in which Go looks for them; what is none of these stays as it is. "_2006" is a line and a year, not a day.
_TOKEN = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|0[1-6]|002|15|1|2006|2|_(?=2006)|_2|__2|3|4|5|PM|pm"
    r"|[-Z]070000|[-Z]07:00:00|[-Z]0700|[-Z]07:00|[-Z]07|[.,](?:0+|9+)(?![0-9])"
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NANOSECONDS = 9


def formatted(layout: str, moment: datetime) -> str:
    """The moment, which knows its time zone, as the layout shows the second of January 2006, 15:04:05 in the zone MST.

    Names are English whatever the locale. Fractions of a second have at most six digits that mean something.
    """
    return _TOKEN.sub(lambda found: _written(found[0], moment), layout)


def _written(token: str, moment: datetime) -> str:
    if token in _PARTS:
        return _PARTS[token](moment)
    if token[0] in ".,":
        return _fraction(token, moment)
    return _zone(token, moment)


def _hour12(moment: datetime) -> int:
    return moment.hour % 12 or 12


def _day_of_year(moment: datetime) -> int:
    return moment.timetuple().tm_yday


_PARTS: Mapping[str, Callable[[datetime], str]] = {
    "2006": lambda moment: f"{moment.year:04}",
    "06": lambda moment: f"{moment.year % 100:02}",
    "January": lambda moment: _MONTHS[moment.month - 1],
    "Jan": lambda moment: _MONTHS[moment.month - 1][:3],
    "01": lambda moment: f"{moment.month:02}",
    "1": lambda moment: f"{moment.month}",
    "Monday": lambda moment: _DAYS[moment.weekday()],
    "Mon": lambda moment: _DAYS[moment.weekday()][:3],
    "02": lambda moment: f"{moment.day:02}",
    "_2": lambda moment: f"{moment.day:2}",
    "2": lambda moment: f"{moment.day}",
    "002": lambda moment: f"{_day_of_year(moment):03}",
    "__2": lambda moment: f"{_day_of_year(moment):3}",
    "15": lambda moment: f"{moment.hour:02}",
    "03": lambda moment: f"{_hour12(moment):02}",
    "3": lambda moment: f"{_hour12(moment)}",
    "04": lambda moment: f"{moment.minute:02}",
    "4": lambda moment: f"{moment.minute}",
    "05": lambda moment: f"{moment.second:02}",
    "5": lambda moment: f"{moment.second}",
    "PM": lambda moment: "PM" if moment.hour >= 12 else "AM",
    "pm": lambda moment: "pm" if moment.hour >= 12 else "am",
    "MST": lambda moment: moment.tzname() or _zone("-0700", moment),
    "_": lambda moment: "_",
}


def _fraction(token: str, moment: datetime) -> str:
    digits = f"{moment.microsecond * 1000:0{_NANOSECONDS}}"[: len(token) - 1].ljust(len(token) - 1, "0")
    if token[1] == "9":
        digits = digits.rstrip("0")
        return token[0] + digits if digits else ""
    return token[0] + digits


def _zone(token: str, moment: datetime) -> str:
    offset = moment.utcoffset() or timedelta()
    if token[0] == "Z" and not offset:
        return "Z"
    minutes, seconds = divmod(abs(int(offset.total_seconds())), 60)
    parts = [f"{minutes // 60:02}", f"{minutes % 60:02}", f"{seconds:02}"]
    shown = parts[: len(token.replace(":", "")) // 2]
    return ("-" if offset < timedelta() else "+") + (":" if ":" in token else "").join(shown)
