"""Changes of password files: what was not meant stays, and of two who change at once neither loses."""

from __future__ import annotations

import os
import re
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.auth.edits import ATTEMPTS, amend, upgraded, with_hash, without
from sesmail.auth.entries import Content
from sesmail.auth.localfile import LocalFile
from sesmail.auth.records import parse
from sesmail.errors import NoSuchMailbox, NoSuchMessage, Refused, Unavailable
from sesmail.service.passwdfiles import StoredFile
from sesmail.storage.directory import DirectoryStore

FILE = b"\xef\xbb\xbf# ours\r\nAnn:old:1:2::/home/ann::x=y\r\n\r\ntom:x\r\nann:second\r\n"


class Contested:
    """A file that somebody else changes each time before we write."""

    def __init__(self, times: int) -> None:
        self.data = b""
        self.version = 0
        self.times = times

    def load(self) -> Content:
        return Content(self.data, str(self.version))

    def put(self, data: bytes, etag: str | None) -> None:
        if self.version < self.times:
            self.version += 1
            self.data += b"other%d:x\n" % self.version
        if etag != str(self.version):
            raise Refused
        self.data = data


def test_a_new_hash_stands_in_the_line_that_counts_and_the_rest_stays() -> None:
    assert with_hash(FILE, "ANN", "new") == FILE.replace(b"Ann:old:", b"Ann:new:")


def test_a_new_user_stands_at_the_end_in_the_file_s_own_line_ends() -> None:
    assert with_hash(FILE, "eve", "new") == FILE + b"eve:new\r\n"
    assert with_hash(b"tom:x", "eve", "new") == b"tom:x\neve:new\n"
    assert with_hash(b"", "eve", "new") == b"eve:new\n"


def test_a_user_in_the_first_line_is_found_behind_a_byte_order_mark() -> None:
    assert with_hash(b"\xef\xbb\xbftom:x\n", "tom", "new") == b"\xef\xbb\xbftom:new\n"


def test_a_removed_user_has_no_line_left_that_could_count() -> None:
    assert without(FILE, "ann") == b"\xef\xbb\xbf# ours\r\n\r\ntom:x\r\n"
    with pytest.raises(NoSuchMailbox):
        without(FILE, "eve")


def test_a_comment_is_nobody() -> None:
    with pytest.raises(NoSuchMailbox):
        without(b"#tom:x\n", "#tom")


def test_an_upgrade_leaves_a_password_that_was_changed_meanwhile() -> None:
    assert upgraded(b"tom:old\n", "tom", "old", "new") == b"tom:new\n"
    assert upgraded(b"tom:changed\n", "tom", "old", "new") == b"tom:changed\n"
    assert upgraded(b"ann:old\n", "tom", "old", "new") == b"ann:old\n"


_NAMES = st.text(min_size=1).map(lambda name: re.sub("[:\n\r#\0\ufeff\ud800-\udfff]", "", name).strip()).filter(bool)


@given(st.binary(), _NAMES)
def test_whatever_was_in_the_file_a_new_user_can_be_read_and_removed_and_others_stay(data: bytes, name: str) -> None:
    written = with_hash(data, name, "{PLAIN}x")
    before, after = parse(data).users, parse(written).users
    found = {key: record for key, record in after.items() if key not in before}
    assert len(found) <= 1
    assert {key: record.name for key, record in before.items()}.items() <= {key: one.name for key, one in after.items()}.items()
    left = parse(without(written, name)).users
    assert all(before[key] == record for key, record in left.items())


def test_two_admins_never_lose_an_entry() -> None:
    file = Contested(3)
    amend(file, lambda data: with_hash(data, "mine", "x"))
    assert sorted(parse(file.data).users) == ["mine", "other1", "other2", "other3"]


def test_who_is_never_fast_enough_is_told_that_it_may_work_later() -> None:
    with pytest.raises(Unavailable):
        amend(Contested(ATTEMPTS + 1), lambda data: with_hash(data, "mine", "x"))


def test_nothing_is_written_when_nothing_changes() -> None:
    file = Contested(0)
    file.data = b"tom:x\n"
    amend(file, lambda data: data)
    assert file.version == 0


@pytest.fixture(params=["local", "stored"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> LocalFile | StoredFile:
    if request.param == "local":
        return LocalFile(tmp_path / "passwd")
    store = DirectoryStore(tmp_path)
    return StoredFile(lambda: store, "passwd")


def test_a_file_that_is_not_there_is_empty_and_can_be_made(file: LocalFile | StoredFile) -> None:
    assert file.load() == Content()
    file.put(b"tom:x\n", None)
    assert file.load().data == b"tom:x\n"


def test_a_file_is_only_replaced_as_it_was_loaded(file: LocalFile | StoredFile) -> None:
    file.put(b"one", None)
    first = file.load()
    file.put(b"two", first.etag)
    with pytest.raises(Refused):
        file.put(b"three", first.etag)
    with pytest.raises(Refused):
        file.put(b"three", None)
    assert file.load().data == b"two"


def test_many_at_once_lose_nothing(file: LocalFile | StoredFile) -> None:
    threads = [
        threading.Thread(target=amend, args=(file, lambda data, n=number: with_hash(data, f"user{n}", "x")))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(parse(file.load().data).users) == [f"user{number}" for number in range(6)]


def test_a_local_file_keeps_its_mode_and_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.write_bytes(b"tom:x\n")
    path.chmod(0o640)
    if os.getuid() == 0:
        os.chown(path, 4711, 4712)
    before = path.stat()
    amend(LocalFile(path), lambda data: with_hash(data, "ann", "x"))
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert os.listdir(tmp_path) == ["passwd"]


def test_a_new_local_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    LocalFile(tmp_path / "passwd").put(b"x", None)
    assert stat.S_IMODE((tmp_path / "passwd").stat().st_mode) == 0o600


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"tom:x\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    amend(LocalFile(tmp_path / "link"), lambda data: with_hash(data, "tom", "y"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"tom:y\n"


def test_a_local_file_is_read_again_when_it_was_changed_in_any_way(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    file = LocalFile(path)
    with pytest.raises(NoSuchMessage):
        file.changed(None)
    path.write_bytes(b"one")
    known = file.load().etag
    assert file.changed(known) is None
    (tmp_path / "other").write_bytes(b"two")
    os.rename(tmp_path / "other", path)
    assert file.changed(known) is not None


def test_a_folder_in_its_place_is_trouble_and_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        LocalFile(tmp_path).load()
    with pytest.raises(Unavailable):
        LocalFile(tmp_path / "nowhere" / "passwd").put(b"x", None)
