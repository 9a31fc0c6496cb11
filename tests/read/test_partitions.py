"""However keys are spread, the ranges of a parallel listing hold each of them exactly once."""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sesmail.storage.read.partitions import cuts

_SES = b"0123456789abcdefghijklmnopqrstuv"
_KEYS = st.lists(
    st.one_of(st.binary(min_size=1, max_size=6), st.text(_SES.decode(), min_size=1, max_size=6).map(str.encode)),
    min_size=2,
    max_size=60,
    unique=True,
)


@given(keys=_KEYS, page=st.integers(2, 30), prefix=st.sampled_from([b"", b"m/"]))
def test_ranges_cover_every_key_behind_the_first_page_once(keys: list[bytes], page: int, prefix: bytes) -> None:
    keys = sorted(prefix + key for key in keys)
    first, rest = keys[:page], keys[page:]
    # As if each row stood for hundreds, so that there is something to cut.
    found = cuts(prefix, first[0], first[-1], 1000)
    bounds = [first[-1], *found]
    assert bounds == sorted(set(bounds))
    assert len(bounds) <= 120
    ranges = zip(bounds, [*found, keys[-1]], strict=True)
    assert [key for after, until in ranges for key in rest[bisect_right(rest, after) : bisect_right(rest, until)]] == rest


def _random(count: int) -> list[bytes]:
    chance = random.Random(count)
    return sorted(bytes(chance.choices(_SES, k=40)) for _ in range(count))


def test_few_keys_are_not_cut_and_many_are_cut_evenly() -> None:
    for count, most in ((1200, 2), (5000, 6), (100_000, 120)):
        keys = _random(count)
        bounds = [keys[999], *cuts(b"", keys[0], keys[999], 1000), keys[-1]]
        weights = [bisect_right(keys, until) - bisect_right(keys, after) for after, until in pairwise(bounds)]
        assert len(weights) <= most
        assert max(weights) < 3 * count / len(weights)
        # What is more than a page costs another round trip.
        assert sum(weight > 1000 for weight in weights) <= len(weights) // 10


def test_keys_that_begin_alike_are_read_page_by_page() -> None:
    assert cuts(b"m/", b"m/1763000000.a", b"m/1763999999.b", 1000) == []
    assert cuts(b"m/", b"m/a", b"m/a", 1) == []
