"""What a copy carries: the keys of a sealed message always, ours as far as there is room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sesmail.errors import Malformed
from sesmail.storage.metadata import LIMIT, check, merged
from tests.storage.copy_contract import SEALED

_OURS = [
    ("sesmail-recipient", "tom@example.com"),
    ("sesmail-sender", "ann@example.org"),
    ("sesmail-received", "1795284952"),
    ("sesmail-reason", "unknown"),
]


def _size(metadata: dict[str, str]) -> int:
    return sum(len(f"x-amz-meta-{name}{value}".encode()) for name, value in metadata.items())


def test_old_and_ours_stand_side_by_side() -> None:
    assert merged(SEALED, _OURS) == SEALED | dict(_OURS)
    assert merged({}, []) == {}


def test_old_wins() -> None:
    assert merged({"sesmail-sender": "first"} | SEALED, [*_OURS, ("x-amz-iv", "other")])["sesmail-sender"] == "first"
    assert merged(SEALED, [(name, "other") for name in SEALED]) == SEALED


def test_of_ours_the_first_have_the_room() -> None:
    for filled in range(1800, 2100):
        old = {"filler": "x" * filled}
        carried = merged(old, _OURS)
        fitting = [name for name, value in _OURS if carried.get(name) == value]
        assert carried == old | {name: value for name, value in _OURS if name in fitting}
        assert fitting in [[name for name, _ in _OURS[:count]] for count in range(5)] or _size(carried) + 20 > LIMIT
        assert _size(carried) <= LIMIT or not fitting


def test_old_is_carried_even_where_there_is_no_room() -> None:
    old = SEALED | {"filler": "x" * 4000}
    assert merged(old, _OURS) == old


def test_the_limit_is_used_to_its_last_octet() -> None:
    name = "sesmail-sender"
    value = "x" * (LIMIT - len("x-amz-meta-") - len(name))
    assert merged({}, [(name, value)]) == {name: value}
    assert merged({}, [(name, value + "x"), ("a", "b")]) == {"a": "b"}


def test_what_is_not_ascii_becomes_an_encoded_word_as_in_s3() -> None:
    assert merged({}, [("sesmail-sender", "grüße@example.com")]) == {
        "sesmail-sender": "=?UTF-8?B?Z3LDvMOfZUBleGFtcGxlLmNvbQ==?="
    }


def test_line_ends_and_controls_become_blanks() -> None:
    assert merged({"old": "a\r\n b"}, [("ours", "\x00tom\r\nx-amz-acl: public-read\x7f ")]) == {
        "old": "a b",
        "ours": "tom x-amz-acl: public-read",
    }


def test_an_old_name_that_no_request_can_hold_is_left_out() -> None:
    assert merged(SEALED | {"a b": "x", "a:b": "x", "": "x", "A": "x", "é": "x"}, _OURS) == SEALED | dict(_OURS)


_ANY = st.text(max_size=80)


@given(
    st.dictionaries(st.sampled_from(sorted(SEALED)) | _ANY, _ANY, max_size=20),
    st.lists(st.tuples(st.sampled_from([name for name, _ in _OURS]), _ANY), max_size=6),
)
def test_whatever_comes_a_request_can_hold_it_and_good_old_values_stay(
    old: dict[str, str], ours: list[tuple[str, str]]
) -> None:
    carried = merged(old, ours)
    assert check(carried) == carried
    for name, value in old.items():
        if _passes(name, value):
            assert carried[name] == value


def _passes(name: str, value: str) -> bool:
    try:
        return bool(check({name: value}))
    except Malformed:
        return False
