"""What goes over the wire, to the octet, over both stores, with the whole corpus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients import stores
from tests.clients.conftest import ALL, FEW
from tests.clients.doors import Doors, opened
from tests.clients.stores import Folder, Store
from tests.clients.strict import Session, logged_in
from tests.corpus.messages import Message, corpus, small_corpus, stuffed
from tests.servers.certificates import Authority

PLAIN_UIDL = re.compile(r"[\x21-\x7e]{1,70}")


@dataclass(frozen=True)
class Served:
    """A store with the whole corpus in one mailbox and a small one in another, and the doors of a gateway of its own."""

    store: Store
    doors: Doors
    everything: list[Message]

    def few(self) -> list[Message]:
        """What is in the small mailbox now."""
        return stores.in_order(self.store, FEW, small_corpus())


@pytest.fixture(scope="module", params=["bucket", "folder"])
def served(request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that has read nothing yet."""
    store: Store = (
        request.getfixturevalue("bucket") if request.param == "bucket" else _filled_folder(tmp_path_factory.mktemp("store"))
    )
    small = [mail for mail in small_corpus() if len(mail.stored) < 20_000]
    stores.fill(store, FEW, small)
    with opened(store, authority, authority.issue("localhost")) as doors:
        yield Served(store, doors, stores.in_order(store, ALL, corpus()))


def _filled_folder(root: Path) -> Folder:
    store = Folder(root)
    stores.let_in(store, [ALL, FEW])
    stores.fill(store, ALL, corpus())
    return store


@pytest.mark.limit(240)
def test_every_message_goes_out_as_it_was_stored_and_as_large_as_list_said(served: Served) -> None:
    mails, door = served.everything, served.doors.stls.of(ALL)
    with logged_in(door) as session:
        sizes = _first_sizes(session, mails)
        for number, mail in enumerate(mails, 1):
            assert session.ask_for_lines(f"RETR {number}") == stuffed(mail.wire), mail.name
        assert _first_sizes(session, mails) == sizes
        session.quit()
    with logged_in(door) as session:
        sizes = session.numbered("LIST")
        assert _wrong(sizes, mails) == set()
        assert session.stat() == (len(mails), sum(mail.octets for mail in mails))
        session.quit()


def _first_sizes(session: Session, mails: list[Message]) -> dict[int, bytes]:
    """LIST is right for CRLF mail, an estimate for other mail, and STAT says the same."""
    sizes = session.numbered("LIST")
    assert list(sizes) == list(range(1, len(mails) + 1))
    assert _wrong(sizes, mails) <= {mail.name for mail in mails if not mail.is_crlf}
    assert session.stat() == (len(mails), sum(map(int, sizes.values())))
    return sizes


def _wrong(sizes: dict[int, bytes], mails: list[Message]) -> set[str]:
    return {mail.name for number, mail in enumerate(mails, 1) if int(sizes[number]) != mail.octets}


@pytest.mark.limit(240)
def test_pipelined_messages_go_out_as_they_were_stored(served: Served) -> None:
    mails = served.everything
    with logged_in(served.doors.pop3s.of(ALL)) as session:
        for start in range(0, len(mails), 100):
            part = mails[start : start + 100]
            session.send(*(f"RETR {number}" for number in range(start + 1, start + len(part) + 1)))
            for mail in part:
                assert session.receive_lines() == stuffed(mail.wire), mail.name
        session.quit()


def test_a_unique_id_is_the_key_or_a_hash_where_the_key_cannot_be_one(served: Served) -> None:
    mails = served.everything
    with logged_in(served.doors.pop3s.of(ALL)) as session:
        ids = session.numbered("UIDL")
        session.quit()
    assert len(set(ids.values())) == len(ids) == len(mails)
    for number, mail in enumerate(mails, 1):
        if PLAIN_UIDL.fullmatch(mail.key):
            assert ids[number] == mail.key.encode()
        else:
            assert PLAIN_UIDL.fullmatch(ids[number].decode())
    assert sum(not PLAIN_UIDL.fullmatch(mail.key) for mail in mails) >= 4
    with logged_in(served.doors.stls.of(ALL)) as session:
        assert session.numbered("UIDL") == ids
        session.quit()


def test_one_message_is_listed_as_the_whole_list_says(served: Served) -> None:
    with logged_in(served.doors.pop3s.of(FEW)) as session:
        sizes, ids = session.numbered("LIST"), session.numbered("UIDL")
        for number in sizes:
            assert session.ask(f"LIST {number}") == b"+OK %d %s" % (number, sizes[number])
            assert session.ask(f"UIDL {number}") == b"+OK %d %s" % (number, ids[number])
        for beyond in (0, -1, len(sizes) + 1, 10**30):
            for verb in ("LIST", "UIDL", "RETR", "DELE"):
                session.refused(f"{verb} {beyond}")
        session.quit()


def test_top_gives_the_header_and_as_many_lines_as_asked_for(served: Served) -> None:
    with logged_in(served.doors.pop3s.of(FEW)) as session:
        for number, mail in enumerate(served.few(), 1):
            for lines in (0, 1, 3, 1_000_000):
                assert session.ask_for_lines(f"TOP {number} {lines}") == stuffed(_top(mail.wire, lines)), mail.name
        session.quit()


def _top(wire: bytes, count: int) -> bytes:
    """The header, the blank line and `count` lines; a message without a blank line is all header."""
    lines = wire.split(b"\r\n")[:-1]
    header = lines.index(b"") + 1 if b"" in lines else len(lines)
    return b"".join(line + b"\r\n" for line in lines[: header + count])


def test_deletions_hide_at_once_and_happen_at_quit_alone(served: Served) -> None:
    door, mails = served.doors.stls.of(FEW), served.few()
    before = stores.keys(served.store, "")
    with logged_in(door) as session:
        _delete(session, 1, 2, len(mails))
    assert stores.keys(served.store, "") == before
    with logged_in(door, patient=True) as session:
        _delete(session, 1, 3, len(mails))
        listed = [number for number in range(1, len(mails) + 1) if number not in (1, 3, len(mails))]
        assert list(session.numbered("LIST")) == list(session.numbered("UIDL")) == listed
        assert session.stat()[0] == len(listed)
        for verb in ("LIST 3", "UIDL 3", "RETR 3", "TOP 3 0", "DELE 3"):
            session.refused(verb)
        assert session.ask("RSET").startswith(b"+OK")
        assert session.stat()[0] == len(mails)
        _delete(session, 2)
        assert stores.keys(served.store, "") == before
        session.quit()
    assert before ^ stores.keys(served.store, "") == {stores.prefix_of(FEW) + mails[1].key}


def test_a_message_that_vanished_is_refused_and_nothing_else_is(served: Served) -> None:
    mails = served.few()
    with logged_in(served.doors.pop3s.of(FEW)) as session:
        served.store.remove(stores.prefix_of(FEW) + mails[4].key)
        session.refused("RETR 5")
        session.refused("TOP 5 0")
        for number in (1, 4, 6, len(mails)):
            assert session.ask_for_lines(f"RETR {number}") == stuffed(mails[number - 1].wire)
        assert session.ask("DELE 5").startswith((b"+OK", b"-ERR"))
        session.quit()


def test_a_login_with_a_wrong_password_sees_nothing(served: Served) -> None:
    session = Session(served.doors.pop3s)
    try:
        assert session.ask(f"USER {served.doors.pop3s.of(ALL).user}").startswith(b"+OK")
        assert session.refused("PASS wrong").startswith(b"-ERR [AUTH]")
        session.refused("RETR 1")
        session.quit()
    finally:
        session.close()


def _delete(session: Session, *numbers: int) -> None:
    for number in numbers:
        assert session.ask(f"DELE {number}").startswith(b"+OK")
