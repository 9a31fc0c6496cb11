"""Every LMTP dialog of tests/dialogs, however the client's octets are cut on their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesmail.protocols.smtp.verbs import LMTP_VERBS
from tests.protocols.lmtpdialogs import LMTPDialog
from tests.protocols.test_dialogs import Cut, lines, octets, whole

DIALOGS = sorted((Path(__file__).parents[1] / "dialogs").glob("lmtp-*.txt"))


@pytest.mark.parametrize("cut", [whole, lines, octets])
@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
def test_dialog(path: Path, cut: Cut) -> None:
    dialog = LMTPDialog.read(path)
    received = dialog.begin()
    received.settle()
    for said, heard in dialog.phases:
        answers = received.transport.value() + b"".join(map(received.say, cut(said)))
        assert answers.split(b"\r\n") == heard.split(b"\r\n")
        received.transport.clear()
    assert received.transport.closed is dialog.closed
    assert [parcel.data for parcel in received.reception.taken] == dialog.taken
    if not dialog.closed:
        received.lose()
    assert not [parcel for parcel in received.reception.parcels if not parcel.finished and not parcel.discarded]


def test_the_dialogs_say_every_verb() -> None:
    said = b"".join(said for path in DIALOGS for said, _ in LMTPDialog.read(path).phases)
    verbs = {line.partition(b" ")[0].upper() for line in said.splitlines()}
    assert set(LMTP_VERBS) <= verbs
