"""Which tests run against the package in Debian is said of each folder of them."""

from __future__ import annotations

from pathlib import Path

from tests.packaging.debian.suite import LEFT_OUT, TESTS

_TESTS = Path(__file__).parents[1]


def test_every_folder_of_tests_is_run_there_or_left_out_for_a_reason() -> None:
    folders = [path.name for path in _TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert sorted(folders) == sorted([*TESTS, *LEFT_OUT])
    assert all(LEFT_OUT.values())
