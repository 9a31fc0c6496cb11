"""Delivery into Maildirs: once, whole, owned by whom it is for, and out of reach of a hostile owner's links."""

from __future__ import annotations

import errno
import io
import os
import pwd
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sesmail.delivery.maildir import ABANDONED, SUFFIX, deliver
from sesmail.errors import Limited, MailError, Unavailable
from tests.relay.crashing import Crash, crashes
from tests.servers.dovecot import running

_MAIL = b"From: jack@example.com\r\nSubject: hello\r\n\r\n" + b"body \xff\0\r\n" * 20_000
_ARRIVED = 1_700_000_000.0
_NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for part in ("tmp", "new", "cur"):
        (tmp_path / "Maildir" / part).mkdir(parents=True)
    return tmp_path / "Maildir"


def put(box: Path, id: str = "m1", data: bytes = _MAIL, *, make: bool = False) -> bool:
    return deliver(str(box), id, io.BytesIO(data), arrived=_ARRIVED, make=make)


def files(box: Path, *parts: str) -> list[Path]:
    return [path for part in parts or ("new", "cur") for path in sorted((box / part).iterdir())]


def test_a_message_is_delivered_octet_for_octet(box: Path) -> None:
    assert put(box)
    (path,) = files(box)
    assert path.parent.name == "new"
    assert path.read_bytes() == _MAIL
    assert path.stat().st_mtime == _ARRIVED
    assert files(box, "tmp") == []


def test_reading_begins_where_the_message_stands(box: Path) -> None:
    message = io.BytesIO(b"not this" + _MAIL)
    message.seek(8)
    deliver(str(box), "m1", message, arrived=_ARRIVED)
    assert files(box)[0].read_bytes() == _MAIL


@pytest.mark.parametrize("id", ["m1", "../../x", "a/b", "a\0b", ".hidden", "a:2,S", "x" * 1000, "é\udc80", ""])
def test_any_id_makes_a_name_that_the_format_allows(box: Path, id: str) -> None:
    assert put(box, id)
    (path,) = files(box)
    assert path.name.startswith("1700000000.")
    assert len(path.name) < 80
    assert ":" not in path.name
    assert not put(box, id)


def test_other_messages_are_others(box: Path) -> None:
    assert put(box, "m1")
    assert put(box, "m2")
    assert len(files(box)) == 2


# Dovecot puts flags on files in `new`, too.
@pytest.mark.parametrize("folder", ["cur", "new"])
@pytest.mark.parametrize("flags", [":2,", ":2,S", ":2,FRS", ":2,Sab", ":1,x"])
def test_a_message_that_a_reader_has_taken_is_not_delivered_again(box: Path, flags: str, folder: str) -> None:
    assert put(box)
    (path,) = files(box)
    path.rename(box / folder / f"{path.name}{flags}")
    assert not put(box)
    assert not deliver(str(box), "m1", io.BytesIO(_MAIL), arrived=_ARRIVED + 100)
    assert len(files(box)) == 1
    assert files(box, "tmp") == []


def test_the_file_belongs_to_the_owner_of_the_maildir_and_is_as_open_as_the_folder(box: Path) -> None:
    for part in (box, *box.iterdir()):
        os.chown(part, _NOBODY.pw_uid, _NOBODY.pw_gid)
        part.chmod(0o770)
    put(box)
    status = files(box)[0].stat()
    assert (status.st_uid, status.st_gid) == (_NOBODY.pw_uid, _NOBODY.pw_gid)
    assert stat.S_IMODE(status.st_mode) == 0o660


def test_a_private_maildir_gets_private_files(box: Path) -> None:
    (box / "new").chmod(0o700)
    put(box)
    assert stat.S_IMODE(files(box)[0].stat().st_mode) == 0o600


def test_who_is_not_root_delivers_into_his_own() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        os.chown(home, _NOBODY.pw_uid, _NOBODY.pw_gid)
        box = Path(home, "Maildir")
        child = os.fork()
        if child == 0:
            try:
                os.setgid(_NOBODY.pw_gid)
                os.setuid(_NOBODY.pw_uid)
                os._exit(0 if put(box, make=True) else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert files(box)[0].stat().st_uid == _NOBODY.pw_uid


@pytest.mark.parametrize("missing", ["Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"])
def test_what_is_no_maildir_is_trouble_and_stays_what_it_is(box: Path, missing: str) -> None:
    shutil.rmtree(box.parent / missing)
    with pytest.raises(Unavailable):
        put(box)
    assert not (box.parent / missing).exists()
    assert not box.exists() or all(files(box, part.name) == [] for part in box.iterdir())


@pytest.mark.parametrize("missing", ["Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"])
def test_told_to_it_makes_what_is_missing_for_the_owner_of_what_is_above(box: Path, missing: str) -> None:
    shutil.rmtree(box.parent / missing)
    for part in (box.parent, *box.parent.rglob("*")):
        os.chown(part, _NOBODY.pw_uid, _NOBODY.pw_gid)
    assert put(box, make=True)
    assert not put(box, make=True)
    assert sorted(part.name for part in box.iterdir()) == ["cur", "new", "tmp"]
    assert {part.stat().st_uid for part in (box, *box.rglob("*"))} == {_NOBODY.pw_uid}
    assert stat.S_IMODE((box.parent / missing).stat().st_mode) == 0o700


def test_it_makes_no_folders_above_a_maildir(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        put(tmp_path / "not-mounted" / "Maildir", make=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["tmp", "new", "cur"])
def test_no_link_in_a_maildir_is_followed(box: Path, part: str) -> None:
    elsewhere = box.parent / "elsewhere"
    elsewhere.mkdir()
    (box / part).rmdir()
    (box / part).symlink_to(elsewhere)
    for make in (False, True):
        with pytest.raises(Unavailable):
            put(box, make=make)
    assert list(elsewhere.iterdir()) == []


def test_the_maildir_itself_may_be_a_link(box: Path) -> None:
    (box.parent / "link").symlink_to(box)
    assert put(box.parent / "link", make=True)
    assert len(files(box)) == 1


def test_folders_of_somebody_else_are_not_written_to(box: Path) -> None:
    os.chown(box / "new", _NOBODY.pw_uid, _NOBODY.pw_gid)
    with pytest.raises(Unavailable):
        put(box)
    assert files(box) == []


class _Failing(io.BytesIO):
    def __init__(self, error: Exception) -> None:
        super().__init__(_MAIL)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 65536:
            raise self._error
        return super().read(size)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.EIO, "broken"), Unavailable),
        (Unavailable("the store broke off"), Unavailable),
        (OSError(errno.ENOSPC, "full"), Limited),
        (OSError(errno.EDQUOT, "quota"), Limited),
        (ValueError("a bug"), ValueError),
    ],
)
def test_a_message_that_cannot_be_read_leaves_nothing(box: Path, error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        deliver(str(box), "m1", _Failing(error), arrived=_ARRIVED)
    assert files(box, "tmp", "new", "cur") == []
    assert put(box)


def test_a_full_disk_says_so(box: Path) -> None:
    with pytest.raises(Limited) as raised:
        deliver(str(box), "m1", _Failing(OSError(errno.ENOSPC, "full")), arrived=_ARRIVED)
    assert raised.value.smtp == "452 4.3.1"


@contextmanager
def no_links() -> Iterator[None]:
    """As on a file system that has no hard links."""
    real = os.link

    def link(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    os.link = link
    try:
        yield
    finally:
        os.link = real


def test_where_there_are_no_hard_links_it_delivers_all_the_same(box: Path) -> None:
    with no_links():
        assert put(box)
        assert not put(box)
    assert files(box)[0].read_bytes() == _MAIL
    assert files(box, "tmp") == []


def test_what_crashes_left_is_removed_when_it_is_old_and_nothing_else(box: Path) -> None:
    (box / "tmp" / f"1.2.3{SUFFIX}").write_bytes(b"half")
    (box / "tmp" / "1.2.3.other").write_bytes(b"somebody else's")
    os.utime(box / "tmp" / f"1.2.3{SUFFIX}", (1, 1))
    put(box, "m1")
    assert len(files(box, "tmp")) == 2
    deliver(str(box), "m2", io.BytesIO(_MAIL), arrived=_ARRIVED, now=lambda: time.time() + ABANDONED + 60)
    assert [path.name for path in files(box, "tmp")] == ["1.2.3.other"]


def test_of_several_that_deliver_one_message_at_a_time_one_succeeds(box: Path) -> None:
    for number in range(20):
        results: list[bool] = []
        start = threading.Barrier(4)

        def one(id: str, results: list[bool] = results, start: threading.Barrier = start) -> None:
            start.wait(10)
            results.append(put(box, id))

        threads = [threading.Thread(target=one, args=(f"m{number}",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [False, False, False, True]
    assert len(files(box)) == 20
    assert files(box, "tmp") == []


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("taken", [True, False])
def test_killed_at_any_step_and_tried_again_it_delivers_once(box: Path, links: bool, taken: bool) -> None:
    keep = box.parent / "keep"
    shutil.copytree(box, keep)

    def prepare() -> None:
        shutil.rmtree(box)
        shutil.copytree(keep, box)

    def scenario(say: object) -> None:
        put(box, data=b"Subject: hello\r\n\r\n")

    def check(crash: Crash) -> None:
        before = files(box)
        assert len(before) <= 1
        assert all(path.read_bytes() == b"Subject: hello\r\n\r\n" for path in before), "half a message was delivered"
        if taken:
            for path in before:
                path.rename(box / "cur" / f"{path.name}:2,S")
        assert put(box, data=b"Subject: hello\r\n\r\n") is not bool(before)
        assert len(files(box)) == 1
        assert not crash.finished or before

    steps = 0
    if links:
        for crash in crashes(scenario, prepare):
            check(crash)
            steps = crash.step
    else:
        with no_links():
            for crash in crashes(scenario, prepare):
                check(crash)
                steps = crash.step
    assert steps > 20


def test_killed_at_any_step_while_it_makes_a_maildir_it_can_make_it_afterwards(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    box = home / "Maildir"

    def prepare() -> None:
        shutil.rmtree(home)
        home.mkdir()
        os.chown(home, _NOBODY.pw_uid, _NOBODY.pw_gid)

    for _ in crashes(lambda say: void(put(box, data=b"x", make=True)), prepare):
        put(box, data=b"x", make=True)
        assert len(files(box)) == 1
        assert {path.stat().st_uid for path in (box, *(box / part for part in ("tmp", "new", "cur")))} == {_NOBODY.pw_uid}


def void(result: object) -> None:
    """A scenario returns nothing."""


def test_the_file_is_durable_before_it_has_its_name_and_the_name_before_the_return(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("writev", "fsync", "link"):
        real = getattr(os, name)

        def noted(*args: object, real: object = real, name: str = name, **kwargs: object) -> object:
            target = os.readlink(f"/proc/self/fd/{args[0]}") if name == "fsync" else ""
            done.append(f"{name} {Path(target).name.endswith(SUFFIX) or Path(target).name}" if target else name)
            return real(*args, **kwargs)  # type: ignore[operator]

        monkeypatch.setattr(os, name, noted)
    put(box, data=b"x")
    assert done == ["writev", "fsync True", "link", "fsync new"]
    done.clear()
    put(box, data=b"x")
    assert done == ["fsync new"]


def test_a_real_dovecot_reads_what_was_delivered_and_it_stays_one() -> None:
    with running("bob:{PLAIN}secret::::::\n", receiving=True) as dovecot:
        box = dovecot.maildir("bob")
        box.parent.chmod(0o755)
        assert put(box, make=True)
        assert dovecot.run("fetch", "-u", "bob", "hdr.subject", "all") == "hdr.subject: hello\n"
        assert dovecot.run("fetch", "-u", "bob", "date.received.unixtime", "all") == "date.received.unixtime: 1700000000\n"
        dovecot.run("flags", "add", "-u", "bob", "\\Seen \\Flagged", "all")
        assert [path.name.partition(":")[2] for path in files(box)] == ["2,FS"]
        assert not put(box)
        assert dovecot.run("fetch", "-u", "bob", "hdr.subject", "all").count("hello") == 1


def test_an_error_is_of_our_family(box: Path) -> None:
    shutil.rmtree(box)
    with pytest.raises(MailError) as raised:
        put(box)
    assert str(box) not in raised.value.public
