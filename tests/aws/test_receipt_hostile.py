"""Real events with anything put in the place of anything: what is read keeps its promises, all else is Malformed."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.aws.document import LONGEST_DOCUMENT
from sesmail.aws.events import Event, events, read
from sesmail.aws.feedback import Feedback
from sesmail.aws.receipt import Incoming, Notice
from sesmail.errors import Malformed, TooLarge
from sesmail.mail.address import Address
from tests.aws import sesevents

_HERE = Incoming("mail-of-example", "new/")
_EVENTS: list[Any] = [
    sesevents.notice("tom@example.com", "jim@example.com"),
    sesevents.envelope(sesevents.notice()),
    sesevents.sns_event(sesevents.notice(), sesevents.s3_event()),
    sesevents.lambda_event(records=2),
    sesevents.s3_event("new/a1", "new/b+2"),
    sesevents.s3_test_event(),
    sesevents.setup_notice(),
    sesevents.outgoing("Bounce", "bounce", sesevents.bounce()),
    sesevents.outgoing(
        "Delivery", "delivery", {"timestamp": sesevents.RECEIVED, "recipients": ["a@else.example"]}, published=True
    ),
    sesevents.outgoing("Reject", "reject", {"reason": "Bad content"}, published=True),
]
_STRANGE = [
    "..", "../../x", "/etc/passwd", "a\0b", "\ud800", "%00", "%", "ä@ö.example", "a@b\r\nX: y", "x" * 5000, "-1", "NaN", "<>",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "0000-00-00T00:00:00Z", "Received", "Bounce", "S3", "Lambda", "SNS",
    '{"Records": []}', "[" * 5000,
]  # fmt: skip
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(_STRANGE)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_ID = re.compile(r"[0-9A-Za-z][!-.0-~]{0,69}")


def _ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from _ways(part, (*way, name))


@st.composite
def _mutated(draw: st.DrawFn) -> Any:
    document = copy.deepcopy(draw(st.sampled_from(_EVENTS)))
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(list(_ways(document))))
        if not way:
            continue
        parent = document
        for name in way[:-1]:
            parent = parent[name]
        if draw(st.booleans()):
            parent[way[-1]] = draw(_VALUES)
        else:
            del parent[way[-1]]
    return document


def _holds(event: Event) -> None:
    hash(event)
    if isinstance(event, Feedback):
        assert all(recipient.address == str(Address.parse(recipient.address)) for recipient in event.recipients)
        lines = [event.detail, *(recipient.diagnostic for recipient in event.recipients)]
        assert all(line.isascii() and (line.isprintable() or not line) for line in lines)
        return
    assert isinstance(event, Notice)
    assert _ID.fullmatch(event.message_id)
    assert event.key
    assert not event.key.startswith("/")
    assert not {".", ".."} & set(event.key.split("/"))
    assert event.key.isprintable() or " " in event.key or not event.key.isascii()
    assert event.recipients is None or all(found == str(Address.parse(found)) for found in event.recipients)
    assert event.recipients != () or event.unreadable
    assert all(found.isascii() for found in event.unreadable)


def _read(document: Any) -> None:
    for event in _found(document):
        _holds(event)


def _found(document: Any) -> tuple[Event, ...]:
    try:
        return events(document, _HERE)
    except (Malformed, TooLarge) as error:
        said = error.public
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 500
    return ()


@given(_mutated())
def test_a_changed_event_is_read_or_malformed(document: Any) -> None:
    _read(document)
    _read(sesevents.envelope(json.dumps(document)))


@given(_VALUES)
def test_anything_at_all_is_read_or_malformed(document: Any) -> None:
    _read(document)


@given(st.sampled_from(_EVENTS), st.data())
def test_octets_that_were_changed_are_read_or_malformed(event: Any, data: st.DataObject) -> None:
    octets = bytearray(json.dumps(event).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        found = read(bytes(octets), _HERE)
    except Malformed:
        return
    for one in found:
        _holds(one)


def test_the_widest_and_the_deepest_event_are_cheap() -> None:
    wide = '{"notificationType": "Received", "mail": {' + ",".join(f'"{number}": 0' for number in range(60_000)) + "}}"
    deep = '{"notificationType": "Received", "mail": ' + "[" * 900 + "]" * 900 + "}"
    for body in (wide, deep):
        assert len(body) < LONGEST_DOCUMENT
        with pytest.raises(Malformed) as raised:
            read(body, _HERE)
        assert len(raised.value.public) < 500
