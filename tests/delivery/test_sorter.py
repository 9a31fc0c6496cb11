"""What SES receives is in the mailboxes of all its recipients, and then gone from where it came in."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from sesmail.aliases.model import AddressRules
from sesmail.aws.receipt import Verdict, Verdicts
from sesmail.delivery.journey import Sorted
from sesmail.delivery.verdicts import Action, VerdictRules
from sesmail.errors import Busy, Malformed, Unavailable
from sesmail.storage.keys import Override, Places
from tests.delivery.sorting import (
    ANNE,
    BOB,
    ELSEWHERE,
    ID,
    LATER,
    MAIL,
    PLACE,
    REFUSED,
    TOM,
    Office,
    box,
    bucket,
    directory,
    notice,
)

ON_DISK, IN_S3 = "directory", "s3"


@pytest.fixture(params=[ON_DISK, IN_S3])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "store") if request.param == ON_DISK else bucket())


@pytest.fixture
def quick(tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "store"))


def test_everybody_has_the_message_and_the_original_is_gone(office: Office) -> None:
    office.arrive()
    assert office.sorter().sort(notice(TOM, ANNE)) is Sorted.DONE
    assert office.listed() == sorted([box(TOM), box(ANNE)])
    assert office.read(box(TOM)) == MAIL


def test_a_message_for_one_takes_three_requests(quick: Office) -> None:
    quick.arrive()
    quick.sorter().sort(notice(TOM))
    assert quick.store.calls == [
        ("head", f"new/{ID}"),
        ("copy", box(TOM)),
        ("delete", f"new/{ID}"),
    ]


def test_deletes_may_be_shared_with_others(quick: Office) -> None:
    quick.arrive()
    deleted: list[str] = []
    quick.sorter(deleted.append).sort(notice(TOM))
    assert deleted == [f"new/{ID}"]


def test_a_copy_says_who_it_is_for_and_keeps_what_the_original_said(office: Office) -> None:
    kept = {"x-amz-meta": "kept", "x-amz-key-v2": "c2VhbGVk"}
    office.arrive(metadata=kept)
    office.sorter().sort(notice(TOM, "tom+shop@example.com", ANNE))
    ours = {"sesmail-sender": "x@example.org", "sesmail-received": "1970-01-12T13:46:40Z"}
    assert office.real.head(box(ANNE)).metadata == {**kept, **ours, "sesmail-recipient": ANNE}
    assert office.real.head(box(TOM)).metadata["sesmail-recipient"] == f"{TOM}, tom+shop@example.com"


def test_a_copy_that_is_there_keeps_its_date(office: Office) -> None:
    office.arrive()
    office.real.put(box(TOM), MAIL)
    before = office.real.head(box(TOM))
    assert office.sorter().sort(notice(TOM)) is Sorted.DONE
    assert office.real.head(box(TOM)) == before
    assert [what for what, _ in office.store.calls] == ["head", "copy", "delete"]


def test_another_message_in_its_place_is_not_taken_for_it(quick: Office) -> None:
    quick.arrive()
    quick.real.put(box(TOM), b"something else")
    with pytest.raises(Unavailable):
        quick.sorter().sort(notice(TOM))
    assert quick.read(box(TOM)) == b"something else"
    assert f"new/{ID}" in quick.listed()


def test_an_event_that_comes_again_does_nothing(office: Office) -> None:
    office.arrive()
    sorter = office.sorter()
    sorter.sort(notice(TOM, ANNE))
    office.remove(box(TOM))
    assert [sorter.sort(notice(TOM, ANNE)), sorter.sort(notice())] == [Sorted.GONE, Sorted.GONE]
    assert office.listed() == [box(ANNE)]
    assert sorter.counts.so_far() == {"done": 1, "gone": 2}


def test_two_rules_that_write_to_one_place_are_told_of(quick: Office, caplog: pytest.LogCaptureFixture) -> None:
    quick.arrive()
    sorter = quick.sorter()
    sorter.sort(notice(TOM, ANNE))
    sorter.sort(notice(ANNE))
    assert "two receipt rules" not in caplog.text
    assert sorter.sort(notice(ANNE, BOB)) is Sorted.GONE
    assert "is for bob@example.com too: two receipt rules write to one place" in caplog.text


def test_two_rules_with_a_prefix_each_bring_it_to_the_recipients_of_both(
    quick: Office, caplog: pytest.LogCaptureFixture
) -> None:
    sorter = quick.sorter()
    for rule in ("a", "b"):
        quick.arrive(prefix=f"new/{rule}/")
    assert sorter.sort(notice(TOM, ANNE, key=f"new/a/{ID}")) is Sorted.DONE
    assert sorter.sort(notice(ANNE, BOB, key=f"new/b/{ID}")) is Sorted.DONE
    assert quick.listed() == sorted(map(box, (TOM, ANNE, BOB)))
    assert "two receipt rules" not in caplog.text


def test_whom_a_notice_is_for_that_comes_too_late_is_in_the_log_of_any_gateway(
    quick: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    quick.arrive()
    quick.sorter().sort(notice(TOM))
    assert quick.sorter().sort(notice(ANNE, BOB)) is Sorted.GONE
    assert f"message {ID} was done before, to={ANNE}, {BOB}" in caplog.text


def test_a_second_thread_at_one_message_is_told_so(quick: Office) -> None:
    quick.arrive()
    inside, leave = threading.Event(), threading.Event()

    def wait(key: str) -> None:
        inside.set()
        assert leave.wait(30)
        quick.remove(key)

    sorter = quick.sorter(wait)
    first = threading.Thread(target=sorter.sort, args=[notice(TOM)])
    first.start()
    assert inside.wait(30)
    with pytest.raises(Busy):
        sorter.sort(notice(TOM))
    leave.set()
    first.join()
    assert sorter.sort(notice(TOM)) is Sorted.GONE


def test_a_mailbox_in_another_store_gets_it_too(tmp_path: Path) -> None:
    there = directory(tmp_path / "other")
    office = Office(directory(tmp_path / "store"), there)
    office.places = Places("mail/%d/%u/", "x", PLACE, False, {TOM: Override(store=ELSEWHERE, prefix="his/")})
    office.arrive()
    assert office.sorter().sort(notice(TOM)) is Sorted.DONE
    assert [row.key.decode() for row in there.list("")] == [f"his/{ID}"]


def test_spam_goes_into_the_folder_for_it(quick: Office) -> None:
    quick.arrive()
    quick.rules = VerdictRules(spam=Action.JUNK)
    quick.sorter().sort(notice(TOM, verdicts=Verdicts(spam=Verdict.FAIL)))
    assert quick.listed() == [box(TOM, folder="Junk")]


def test_a_notice_of_another_bucket_is_refused(quick: Office) -> None:
    with pytest.raises(Malformed, match="theirs"):
        quick.sorter().sort(notice(TOM, bucket="theirs"))


@pytest.mark.parametrize(
    "key", [box(TOM), f"held/{ID}", f".sesmail/held/{ID}", "new/passwd.txt", "new/", "mail/example.com/passwd.txt"]
)
def test_nothing_but_what_came_in_is_sorted(quick: Office, key: str) -> None:
    if not key.endswith("/"):
        quick.real.put(key, MAIL)
    sorter = quick.sorter()
    assert sorter.sort(notice(key=key)) is Sorted.IGNORED
    with pytest.raises(Malformed, match="comes in"):
        sorter.sort(notice(ANNE, key=key))
    assert quick.listed() == ([] if key.endswith("/") else [key])


def test_without_a_prefix_mail_comes_in_where_no_folder_is(tmp_path: Path) -> None:
    office = Office(directory(tmp_path / "store"), prefix="")
    office.arrive(prefix="")
    assert office.sorter().sort(notice(TOM, key=ID)) is Sorted.DONE
    assert office.sorter().sort(notice(key=box(TOM))) is Sorted.IGNORED
    assert office.listed() == [box(TOM)]


def test_a_mailbox_where_mail_comes_in_gets_none(quick: Office) -> None:
    quick.places = Places("new/%u/", "x", PLACE, False, {})
    quick.arrive()
    with pytest.raises(Unavailable):
        quick.sorter().sort(notice(TOM))
    assert quick.listed("new/") == [f"new/{ID}"]


def test_one_destination_in_trouble_keeps_the_original_and_nobody_gets_it_twice(office: Office) -> None:
    office.routes = {ANNE: ["lmtp:anne"]}
    office.notes.answers["anne"] = LATER
    office.arrive()
    with pytest.raises(Unavailable):
        office.sorter().sort(notice(TOM, ANNE))
    assert f"new/{ID}" in office.listed()
    office.remove(box(TOM))
    office.notes.answers.clear()
    assert office.sorter().sort(notice(TOM, ANNE)) is Sorted.DONE
    assert office.listed() == []
    assert office.notes.got == [("anne", MAIL)]


def test_what_cannot_be_written_down_is_remembered_as_long_as_the_process_lives(quick: Office) -> None:
    quick.routes = {ANNE: ["lmtp:anne"], BOB: ["lmtp:bob"]}
    quick.notes.answers["anne"] = LATER
    quick.arrive()
    sorter = quick.sorter()
    for _ in range(2):
        quick.store.fails_at = ("put", f".sesmail/progress/{ID}")
        with pytest.raises(Unavailable):
            sorter.sort(notice(TOM, BOB, ANNE))
        assert quick.store.calls[-1] == ("put", f".sesmail/progress/{ID}")
        assert quick.listed(".sesmail/") == []
    quick.remove(box(TOM))
    quick.store.fails_at = None
    with pytest.raises(Unavailable):
        sorter.sort(notice(TOM, BOB, ANNE))
    # Now it is there for other processes, too.
    assert quick.listed(".sesmail/") == [f".sesmail/progress/{ID}"]
    quick.notes.answers.clear()
    assert quick.sorter().sort(notice(TOM, BOB, ANNE), again=True) is Sorted.DONE
    assert quick.listed() == []
    assert [user for user, _ in quick.notes.got] == ["bob", "anne"]


def test_an_original_that_cannot_be_deleted_is_not_delivered_again(quick: Office) -> None:
    quick.arrive()
    sorter = quick.sorter()
    quick.store.set(2)
    with pytest.raises(Unavailable):
        sorter.sort(notice(TOM))
    quick.remove(box(TOM))
    quick.store.set(None)
    assert sorter.sort(notice(TOM)) is Sorted.DONE
    assert quick.listed() == []


def test_another_process_that_knows_of_the_first_try_does_not_deliver_again(quick: Office) -> None:
    quick.arrive()
    quick.store.set(2)
    with pytest.raises(Unavailable):
        quick.sorter().sort(notice(TOM))
    quick.remove(box(TOM))
    quick.store.set(None)
    assert quick.sorter().sort(notice(TOM), again=True) is Sorted.DONE
    assert quick.listed() == []


def test_a_bug_in_one_agent_keeps_no_mail_from_others(quick: Office, caplog: pytest.LogCaptureFixture) -> None:
    quick.routes = {ANNE: ["lmtp:anne"]}
    quick.notes.answers["anne"] = KeyError("a bug")
    quick.arrive()
    with pytest.raises(Unavailable):
        quick.sorter().sort(notice(ANNE, TOM))
    assert box(TOM) in quick.listed()
    assert f"new/{ID}" in quick.listed()
    assert "a bug" in caplog.text


def test_a_progress_that_cannot_be_read_stops_the_message_and_loses_nothing(quick: Office) -> None:
    for hostile in (b"", b"[]", b'{"sesmail":2,"done":[]}', b'{"sesmail":1,"done":["../x"]}', b"[" * 100_000, b"x" * 2_000_000):
        quick.arrive()
        quick.real.put(f".sesmail/progress/{ID}", hostile)
        with pytest.raises(Unavailable, match="mended or removed"):
            quick.sorter().sort(notice(TOM, ANNE))
        assert quick.listed() == [f".sesmail/progress/{ID}", f"new/{ID}"]


def test_each_fate_is_one_line(quick: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sesmail.fate")
    quick.routes = {BOB: ["drop:"], ANNE: ["lmtp:anne"]}
    quick.notes.answers["anne"] = REFUSED
    quick.arrive()
    quick.sorter().sort(notice(TOM, ANNE, BOB, "nobody@example.com"))
    lines = [record.message for record in caplog.records if record.name == "sesmail.fate"]
    assert lines == [
        f"dropped id={ID} sender=x@example.org to=bob@example.com reason=rule",
        f"sorted id={ID} sender=x@example.org to=tom@example.com by=mailbox",
        f'held id={ID} sender=x@example.org to=anne@example.com reason=refused reply="550 5.7.1 not from you"',
        f"held id={ID} sender=x@example.org to=nobody@example.com reason=unknown-recipient",
    ]


@pytest.mark.parametrize(
    "local",
    [
        "../x",
        "a/b",
        '"../../x"',
        "..",
        ".sesmail",
        "+Junk",
        "passwd.txt",
        "a" * 300,
        "\0",
        "a\0b",
        '".."',
    ],
)
def test_no_name_leads_out_of_a_mailbox(quick: Office, local: str) -> None:
    quick.address_rules = AddressRules(open_domains=frozenset({"example.com"}))
    quick.arrive()
    recipient = f"{local}@example.com"
    assert quick.sorter().sort(notice(recipient)) is Sorted.HELD
    assert quick.listed() == [f".sesmail/held/{ID}", f"held/{ID}"]


def test_what_looks_like_an_escape_is_a_name_like_any_other(office: Office) -> None:
    office.address_rules = AddressRules(open_domains=frozenset({"example.com"}))
    office.arrive()
    office.sorter().sort(notice("%2e%2e%2fanne@example.com"))
    assert office.listed() == [f"mail/example.com/%2e%2e%2fanne/{ID}"]
