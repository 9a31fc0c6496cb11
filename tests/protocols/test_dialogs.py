"""Every dialog of tests/dialogs, however the client's octets are cut on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sesmail.protocols.pop3.verbs import VERBS
from tests.protocols.dialogs import Dialog

DIALOGS = sorted((Path(__file__).parents[1] / "dialogs").glob("pop3-*.txt"))

Cut = Callable[[bytes], Iterator[bytes]]


def whole(said: bytes) -> Iterator[bytes]:
    yield said


def lines(said: bytes) -> Iterator[bytes]:
    yield from said.splitlines(keepends=True)


def octets(said: bytes) -> Iterator[bytes]:
    for start in range(len(said)):
        yield said[start : start + 1]


@pytest.mark.parametrize("cut", [whole, lines, octets])
@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
def test_dialog(path: Path, cut: Cut) -> None:
    dialog = Dialog.read(path)
    spoken = dialog.begin()
    for said, heard in dialog.phases:
        answers = spoken.transport.value() + b"".join(map(spoken.say, cut(said)))
        assert answers.split(b"\r\n") == heard.split(b"\r\n")
        spoken.transport.clear()
    assert spoken.transport.closed is dialog.closed


def test_the_dialogs_say_every_verb() -> None:
    said = b"".join(said for path in DIALOGS for said, _ in Dialog.read(path).phases)
    verbs = {line.partition(b" ")[0].upper() for line in said.splitlines()}
    assert set(VERBS) <= verbs
