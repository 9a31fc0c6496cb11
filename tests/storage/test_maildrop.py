"""Maildrops over real stores: what a session sees, what stays frozen, what it leaves behind."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.trial import unittest

from sesmail.errors import Busy, NoSuchMessage, Unavailable
from sesmail.interfaces import Body, Maildrop, Place, StorePlace
from sesmail.mail.uidl import hashed
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.lock import Lock, NoLock, ProcessLock
from sesmail.storage.maildrop import Figures, Maildrops
from sesmail.storage.passwdkeys import PasswdKeys
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Reader, Store
from tests.servers.seaweed import running
from tests.storage.driving import Person, StoreReader, pause, run

HERE = StorePlace("s3://mail")
TOM = Place(HERE, "d/tom/")
NOW = 1_800_000_000.0
_numbers = itertools.count()


class Direct:
    """A window that never reads ahead."""

    closed = 0

    def __init__(self, reader: Reader, names: Callable[[int], tuple[str, int]], count: int) -> None:
        self.reader, self.names, self.count = reader, names, count

    async def open(self, index: int, *, head: bool, skip: frozenset[int] | set[int]) -> Body:
        key, size = self.names(index)
        return await self.reader.open(key, size=size, head=head)

    def close(self) -> None:
        Direct.closed += 1


class OverStore:
    """The promises that hold over any store; needs `self.store`, empty at first."""

    store: Store

    def maildrops(
        self, lock: Lock | None = None, *, days: int | None = None, reader: Reader | None = None, passwd: str = "passwd.txt"
    ) -> Maildrops:
        async def remove(keys: Sequence[str]) -> dict[str, str]:
            return self.store.delete(keys)

        return Maildrops(
            lambda place: reader or StoreReader(self.store),
            lambda place: remove,
            lock or NoLock(),
            window=Direct,
            pause=pause,
            now=lambda: NOW,
            expire_days=days,
            passwd=PasswdKeys([(HERE, passwd)]),
        )

    def opened(self, maildrops: Maildrops | None = None, place: Place | None = TOM) -> Maildrop:
        return run((maildrops or self.maildrops()).open(place, Person()))

    def names(self, maildrop: Maildrop) -> list[str]:
        return [maildrop.uidl(index).decode() for index in range(len(maildrop))]

    def put(self, *keys: str) -> None:
        for key in keys:
            self.store.put(key, key.encode())


async def content(maildrop: Maildrop, index: int) -> bytes:
    body = await maildrop.open(index)
    data = b""
    while piece := await body.read():
        data += piece
    body.close()
    return data


class MaildropContract(OverStore):
    assertEqual: Callable[..., None]
    assertRaises: Callable[..., object]

    def test_messages_are_read_by_number_with_size_and_id(self) -> None:
        self.put("d/tom/one", "d/tom/a b", "d/ann/x")
        maildrop = self.opened()
        found = {maildrop.uidl(i): (maildrop.octets(i), run(content(maildrop, i))) for i in range(len(maildrop))}
        self.assertEqual(found, {b"one": (9, b"d/tom/one"), hashed(b"a b"): (9, b"d/tom/a b")})

    def test_what_is_no_mail_is_hidden(self) -> None:
        self.put(
            "d/tom/id",
            "d/tom/AMAZON_SES_SETUP_NOTIFICATION",
            "d/tom/passwd.txt",
            "d/tom/.sesmail/lock",
            "d/tom/+Sent/1",
            "d/tom/2026/1",
        )
        self.store.put("d/tom/void", b"")
        self.assertEqual(self.names(self.opened()), ["id"])
        nested = self.opened(place=Place(HERE, "d/tom/", nested=True))
        self.assertEqual(sorted(self.names(nested)), ["2026/1", "id"])

    def test_the_password_file_is_hidden_whatever_its_name(self) -> None:
        name = "0123456789abcdef0123456789abcdef01234567"
        self.put(f"d/tom/{name}", "d/tom/id", f"d/ann/{name}")
        maildrops = self.maildrops(passwd=f"%d/tom/{name}")
        self.assertEqual(self.names(self.opened(maildrops)), ["id"])
        self.assertEqual(self.names(self.opened(maildrops, Place(HERE, "d/ann/"))), [name])
        self.assertEqual(self.names(self.opened(maildrops, Place(HERE, "d/tom/01"))), [])
        granted = Place(StorePlace("s3://mail/", region="eu-west-1"), "", nested=True)
        self.assertEqual(sorted(self.names(self.opened(maildrops, granted))), [f"d/ann/{name}", "d/tom/id"])

    def test_its_figures_are_those_of_a_session_that_opens_it_now_whoever_has_it(self) -> None:
        self.put("d/tom/1", "d/tom/22", "d/tom/2026/1", "d/tom/passwd.txt", "d/ann/x")
        maildrops = self.maildrops(ProcessLock(30))
        for place in (TOM, Place(HERE, "d/tom/", nested=True)):
            maildrop = self.opened(maildrops, place)
            total = sum(map(maildrop.octets, range(len(maildrop))))
            self.assertEqual(run(maildrops.figures(place)), Figures(len(maildrop), total))
            run(maildrop.close())
        for nowhere in (None, Place(StorePlace("none"), "")):
            self.assertEqual(run(maildrops.figures(nowhere)), Figures(0, 0))

    def test_numbers_stay_while_mail_comes_and_goes(self) -> None:
        self.put("d/tom/1", "d/tom/2")
        maildrops = self.maildrops()
        maildrop = self.opened(maildrops)
        before = self.names(maildrop)
        self.put("d/tom/0")
        self.store.delete(["d/tom/1"])
        self.assertEqual(self.names(maildrop), before)
        self.assertRaises(NoSuchMessage, run, maildrop.open(before.index("1")))
        self.assertEqual(run(content(maildrop, before.index("2"))), b"d/tom/2")
        self.assertEqual(sorted(self.names(self.opened(maildrops))), ["0", "2"])

    def test_removed_messages_are_gone_and_absent_ones_are_no_failure(self) -> None:
        self.put("d/tom/1", "d/tom/2", "d/tom/3")
        maildrop = self.opened()
        self.store.delete(["d/tom/1"])
        names = self.names(maildrop)
        self.assertEqual(list(run(maildrop.remove([names.index("1"), names.index("2")]))), [])
        self.assertEqual([row.key for row in self.store.list("")], [b"d/tom/3"])
        self.assertRaises(NoSuchMessage, run, maildrop.open(names.index("2")))

    def test_a_learned_size_is_told_from_the_next_session_on(self) -> None:
        self.put("d/tom/1", "d/tom/2")
        maildrops = self.maildrops()
        first = self.opened(maildrops)
        index = self.names(first).index("2")
        first.learn(index, 11)
        first.learn(1 - index, 7)
        second = self.opened(maildrops)
        self.assertEqual((first.octets(index), second.octets(index), second.octets(1 - index)), (7, 11, 7))
        run(first.close())
        run(second.close())
        self.assertEqual(self.opened(maildrops).octets(index), 11)

    def test_a_mailbox_of_sealed_mail_tells_what_its_messages_are_without_the_seal(self) -> None:
        self.store.put("d/tom/1", b"x" * 116)
        self.store.put("d/tom/2", b"x" * 216)
        self.store.put("d/tom/3", b"x")
        sealed, maildrops = Place(HERE, "d/tom/", sealed=True), self.maildrops()
        first = self.opened(maildrops, sealed)
        index = {name: place for place, name in enumerate(self.names(first))}
        self.assertEqual([first.octets(index[name]) for name in "123"], [100, 200, 0])
        # The second was not sealed.
        first.learn(index["1"], 100)
        first.learn(index["2"], 216)
        second = self.opened(maildrops, sealed)
        self.assertEqual([second.octets(index[name]) for name in "123"], [100, 216, 0])

    def test_a_message_written_anew_is_learned_anew(self) -> None:
        self.put("d/tom/1")
        maildrops = self.maildrops()
        self.opened(maildrops).learn(0, 11)
        self.store.put("d/tom/1", b"another")
        self.assertEqual(self.opened(maildrops).octets(0), 7)

    def test_mail_in_folders_of_another_case_belongs_to_the_mailbox(self) -> None:
        self.put("d/tom/1", "d/tom/2", "d/Tom/2", "d/Tom/3", "d/TOM/4", "d/tomas/5")
        place = Place(HERE, "d/tom/", mixed_case=True)
        maildrop = self.opened(place=place)
        found = {maildrop.uidl(i): run(content(maildrop, i)) for i in range(len(maildrop))}
        self.assertEqual(
            found,
            {b"1": b"d/tom/1", b"2": b"d/tom/2", hashed(b"d/Tom/2"): b"d/Tom/2", b"3": b"d/Tom/3", b"4": b"d/TOM/4"},
        )
        run(maildrop.remove(range(len(maildrop))))
        self.assertEqual([row.key for row in self.store.list("")], [b"d/tomas/5"])


class OverDirectory(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="sesmail-maildrop-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.store: Store = DirectoryStore(self.root)


class DirectoryMaildropTest(OverDirectory, MaildropContract):
    pass


class S3MaildropTest(unittest.TestCase, MaildropContract):
    @classmethod
    def setUpClass(cls) -> None:
        cls.bucket = running().make_bucket(f"maildrop-{next(_numbers)}")

    bucket: str

    def setUp(self) -> None:
        self.store = S3Store(running().client(), self.bucket)
        self.store.delete([row.key.decode() for row in self.store.list("")])


class MaildropTest(OverDirectory, OverStore):
    def dated(self, key: str, age: float) -> None:
        self.put(key)
        os.utime(self.root / key, (NOW - age, NOW - age))

    def test_order_is_arrival_then_key(self) -> None:
        for key, age in (("c", 30), ("a", 10), ("b", 20), ("a2", 20)):
            self.dated(f"d/tom/{key}", age)
        self.assertEqual(self.names(self.opened()), ["c", "a2", "b", "a"])

    def test_a_login_without_a_mailbox_has_an_empty_one(self) -> None:
        maildrop = self.opened(place=None)
        self.assertEqual((len(maildrop), list(maildrop.expired()), list(run(maildrop.remove([])))), (0, [], []))
        self.assertRaises(NoSuchMessage, run, maildrop.open(0))
        run(maildrop.close())

    def test_a_hash_never_takes_the_id_of_a_plain_name(self) -> None:
        taken = hashed(b"a b").decode()
        for key, age in (("a b", 20), (taken, 10)):
            self.dated(f"d/tom/{key}", age)
        names = self.names(self.opened())
        self.assertEqual(names[1], taken)
        self.assertEqual(names[0], hashed(b"d/tom/a b").decode())

    def test_old_mail_is_expired_by_days_since_arrival(self) -> None:
        for key, age in (("old", 7 * 86400 + 1), ("older", 9 * 86400), ("young", 7 * 86400 - 1)):
            self.dated(f"d/tom/{key}", age)
        maildrop = self.opened(self.maildrops(days=7))
        self.assertEqual(self.names(maildrop), ["older", "old", "young"])
        self.assertEqual(list(maildrop.expired()), [0, 1])
        self.assertEqual(list(self.opened().expired()), [])

    def test_what_could_not_be_removed_is_told_by_number(self) -> None:
        self.put("d/tom/1", "d/tom/2", "d/tom/3")
        store = self.store

        class Protecting(DirectoryStore):
            def delete(self, keys: object) -> dict[str, str]:
                return store.delete([key for key in keys if not key.endswith("2")]) | {"d/tom/2": "AccessDenied"}  # type: ignore[attr-defined]

        self.store = Protecting(self.root)
        maildrop = self.opened()
        names = self.names(maildrop)
        self.assertEqual(list(run(maildrop.remove([0, 1, 2]))), [names.index("2")])
        self.assertEqual(run(content(maildrop, names.index("2"))), b"d/tom/2")
        self.assertRaises(NoSuchMessage, run, maildrop.open(names.index("1")))

    def test_sessions_of_one_mailbox_share_an_equal_listing(self) -> None:
        self.put("d/tom/1")
        maildrops = self.maildrops()
        first, second = self.opened(maildrops), self.opened(maildrops)
        self.assertIs(first._listing, second._listing)  # type: ignore[attr-defined]
        self.put("d/tom/2")
        self.assertEqual((len(first), len(self.opened(maildrops))), (1, 2))

    def test_what_one_session_removed_the_other_does_not_open(self) -> None:
        self.put("d/tom/1", "d/tom/2")
        reader = StoreReader(self.store)
        maildrops = self.maildrops(reader=reader)
        first, second = self.opened(maildrops), self.opened(maildrops)
        run(first.remove([0]))
        # Even when a copy lies in a window or comes back in the store.
        self.put("d/tom/" + self.names(second)[0])
        self.assertRaises(NoSuchMessage, run, second.open(0))
        run(content(second, 1))

    def test_no_mailbox_is_kept_when_its_last_session_closed(self) -> None:
        self.put("d/tom/1")
        maildrops = self.maildrops()
        first, second = self.opened(maildrops), self.opened(maildrops)
        run(first.close())
        del first
        gc.collect()
        self.assertEqual(len(maildrops._mailboxes), 1)
        run(second.close())
        del second
        gc.collect()
        self.assertEqual(len(maildrops._mailboxes), 0)

    def test_closing_releases_lock_and_window_once(self) -> None:
        lock = ProcessLock(30)
        maildrops = self.maildrops(lock)
        maildrop = self.opened(maildrops)
        self.assertRaises(Busy, self.opened, maildrops)
        before = Direct.closed
        run(maildrop.close())
        run(maildrop.close())
        self.assertEqual(Direct.closed, before + 1)
        run(self.opened(maildrops).close())

    def test_whatever_fails_on_opening_the_lock_is_free_again(self) -> None:
        lock = ProcessLock(30)
        for failing in ("list", "folders"):
            reader = StoreReader(self.store)

            async def fail(*_: object, **__: object) -> None:
                raise Unavailable

            setattr(reader, failing, fail)
            place = Place(HERE, "d/tom/", mixed_case=True)
            self.assertRaises(Unavailable, run, self.maildrops(lock, reader=reader).open(place, Person()))
        self.assertEqual(lock.holders, {})

    def test_a_client_that_leaves_while_the_mailbox_is_listed_frees_the_lock(self) -> None:
        self.put("d/tom/1")
        lock = ProcessLock(30)
        opening = self.maildrops(lock).open(TOM, Person())
        opening.send(None)
        self.assertEqual(len(lock.holders), 1)
        opening.close()
        self.assertEqual(lock.holders, {})

    def test_a_holder_that_lost_the_lock_can_still_remove(self) -> None:
        self.put("d/tom/1", "d/tom/2")
        maildrops = self.maildrops(ProcessLock(30))
        old = run(maildrops.open(TOM, Person(quiet=60)))
        new = run(maildrops.open(TOM, Person()))
        self.assertEqual(list(run(old.remove([0]))), [])
        run(old.close())
        self.assertRaises(Busy, self.opened, maildrops)
        run(new.close())
        self.assertEqual(len(self.opened(maildrops)), 1)
