"""Every SMTP dialog of tests/dialogs, under both ways of TLS, however the client's octets are cut on their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesmail.protocols.smtp.verbs import VERBS
from tests.protocols.smtpdialogs import SMTPDialog
from tests.protocols.test_dialogs import Cut, lines, octets, whole

DIALOGS = sorted((Path(__file__).parents[1] / "dialogs").glob("smtp-*.txt"))


@pytest.mark.parametrize("implicit", [True, False], ids=["tls", "starttls"])
@pytest.mark.parametrize("cut", [whole, lines, octets])
@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
def test_dialog(path: Path, cut: Cut, implicit: bool) -> None:
    dialog = SMTPDialog.read(path)
    spoken = dialog.begin(implicit=implicit)
    spoken.settle()
    for said, heard in dialog.phases:
        answers = spoken.transport.value() + b"".join(map(spoken.say, cut(said)))
        assert answers.split(b"\r\n") == heard.split(b"\r\n")
        spoken.transport.clear()
    assert spoken.transport.closed is dialog.closed
    assert [letter.data for letter in spoken.submission.accepted] == dialog.accepted
    if not dialog.closed:
        spoken.lose()
    assert not [letter for letter in spoken.submission.letters if not letter.finished and not letter.discarded]


def test_the_dialogs_say_every_verb() -> None:
    said = b"".join(said for path in DIALOGS for said, _ in SMTPDialog.read(path).phases)
    verbs = {line.partition(b" ")[0].upper() for line in said.splitlines()}
    assert set(VERBS) <= verbs
