"""A message that no notice tells of reaches who is likely to be meant, and waits until it is known for whom it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sesmail.aws.stamp import HEADER_OCTETS
from sesmail.delivery.held import Held
from sesmail.delivery.inbox import Guess
from sesmail.delivery.journey import Sorted
from sesmail.delivery.plan import Reason
from sesmail.delivery.verdicts import Action, VerdictRules
from tests.delivery.sorting import ANNE, BOB, ID, MAIL, TOM, Office, box, directory, notice


def stamped(
    recipient: str = TOM, *, to: str = "anne@example.com, stranger@example.net, nobody@example.com", spam: str = "PASS"
) -> bytes:
    """As SES writes it."""
    return (
        "Return-Path: <x@example.org>\r\n"
        "Received: from mail.example.org (mail.example.org [192.0.2.1])\r\n"
        f" by inbound-smtp.eu-west-1.amazonaws.com with SMTP id {ID}\r\n"
        f" for {recipient};\r\n Sat, 21 Nov 2026 09:30:00 +0000 (UTC)\r\n"
        f"X-SES-Spam-Verdict: {spam}\r\nX-SES-RECEIPT: AEFB\r\n"
        f"From: x@example.org\r\nTo: {to}\r\n\r\nhello\r\n"
    ).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def office(path: Path, data: bytes, **settings: Any) -> Office:
    made = Office(directory(path), **settings)
    made.arrive(data=data)
    return made


SWEPT = [f".sesmail/progress/{ID}"], [f"swept/{ID}"]


def swept_beside(*people: str) -> list[str]:
    return [*SWEPT[0], *sorted(map(box, people)), *SWEPT[1]]


def test_whom_ses_names_has_it_and_the_original_waits(path: Path) -> None:
    here = office(path, stamped())
    assert here.sorter().sort(notice()) is Sorted.SWEPT
    assert here.listed() == swept_beside(TOM)
    assert here.real.head(box(TOM)).metadata["sesmail-sender"] == "x@example.org"


def test_the_header_tells_more_and_strangers_in_it_are_nobody(path: Path) -> None:
    here = office(path, stamped(), guess=Guess.HEADER)
    assert here.sorter().sort(notice()) is Sorted.SWEPT
    assert here.listed() == swept_beside(TOM, ANNE)


def test_a_late_notice_completes_it(path: Path) -> None:
    here = office(path, stamped())
    sorter = here.sorter()
    sorter.sort(notice())
    here.remove(box(TOM))
    assert sorter.sort(notice(TOM, BOB)) is Sorted.DONE
    assert here.listed() == [box(BOB)]
    assert sorter.sort(notice(TOM, BOB)) is Sorted.GONE


def test_who_is_certain_and_unknown_holds_it_until_a_notice_knows(path: Path) -> None:
    here = office(path, stamped("gone@example.com"))
    assert here.sorter().sort(notice()) is Sorted.HELD
    assert here.sorter().sort(notice(BOB)) is Sorted.DONE
    assert here.listed() == [box(BOB)]


def test_a_notice_of_what_is_held_for_certain_changes_nothing(path: Path) -> None:
    here = office(path, MAIL)
    here.sorter().sort(notice("nobody@example.com"))
    before = here.listed()
    assert here.sorter().sort(notice(BOB)) is Sorted.GONE
    assert here.listed() == before


@pytest.mark.parametrize("data", [MAIL, stamped("a@b", to="<broken"), b"\0\xff" * 1000, b""])
@pytest.mark.parametrize("guess", [Guess.STAMP, Guess.HEADER])
def test_a_message_that_tells_nothing_is_held(path: Path, guess: Guess, data: bytes) -> None:
    here = office(path, data, guess=guess)
    assert here.sorter().sort(notice()) is Sorted.HELD
    record = Held(here.inbox).record(ID)
    assert record.guessed
    assert record.reasons in ((Reason.NOBODY,), (Reason.UNKNOWN,))


def test_nothing_is_guessed_where_that_is_not_wanted(path: Path) -> None:
    here = office(path, stamped(), guess=Guess.NONE)
    assert here.sorter().sort(notice()) is Sorted.HELD
    assert Held(here.inbox).record(ID).reasons == (Reason.NOBODY,)
    assert here.sorter().sort(notice(TOM, ANNE)) is Sorted.DONE
    assert here.listed() == sorted(map(box, (TOM, ANNE)))


def test_where_no_notices_come_a_guess_is_final(path: Path) -> None:
    here = office(path, stamped(), notices=False)
    assert here.sorter().sort(notice()) is Sorted.DONE
    assert here.listed() == [box(TOM)]


def test_a_prefix_of_somebodys_own_is_no_guess(path: Path) -> None:
    here = Office(directory(path), fixed=(("new/anne/", ANNE), ("shop/", BOB)))
    for prefix in ("new/anne/", "shop/"):
        here.arrive(data=stamped(), prefix=prefix)
        assert here.sorter().sort(notice(key=prefix + ID)) is Sorted.DONE
    assert here.listed() == sorted(map(box, (ANNE, BOB)))
    assert here.real.head(box(BOB)).metadata["sesmail-sender"] == "x@example.org"


def test_what_ses_found_in_it_counts_here_too(path: Path) -> None:
    here = office(path, stamped(spam="FAIL"))
    here.rules = VerdictRules(spam=Action.JUNK)
    here.sorter().sort(notice())
    assert box(TOM, folder="Junk") in here.listed()


def test_spam_for_people_who_were_guessed_is_held_as_spam(path: Path) -> None:
    here = office(path, stamped(spam="FAIL"), guess=Guess.HEADER)
    here.rules = VerdictRules(spam=Action.HOLD)
    assert here.sorter().sort(notice()) is Sorted.HELD
    assert Held(here.inbox).record(ID).reasons == (Reason.SPAM,)


def test_only_the_beginning_of_a_large_message_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = office(path, stamped() + b"x" * 4 * HEADER_OCTETS)
    sizes: list[int] = []
    real = here.real.open

    class Measured:
        def __init__(self, key: str) -> None:
            self.file = real(key)

        def read(self, most: int) -> bytes:
            sizes.append(most)
            return self.file.read(most)

        def close(self) -> None:
            self.file.close()

    opened: list[str] = []

    def measured(key: str) -> Measured:
        opened.append(key)
        return Measured(key)

    monkeypatch.setattr(here.store, "open", measured)
    assert here.sorter().sort(notice()) is Sorted.SWEPT
    assert 0 < sum(sizes) <= HEADER_OCTETS
    assert opened == [f"new/{ID}"]


def test_a_notice_that_was_first_leaves_nothing_to_guess(path: Path) -> None:
    here = office(path, stamped())
    here.sorter().sort(notice(BOB))
    assert here.sorter().sort(notice()) is Sorted.GONE
    assert here.listed() == [box(BOB)]
