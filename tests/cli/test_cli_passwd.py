"""`sesmail passwd`: users of password files, in a store or on this machine, whoever else changes them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sesmail.auth import hashes
from sesmail.auth.records import parse
from tests.servers import seaweed

FILE = "mailboxes/example.com/passwd.txt"


class Admin:
    """Somebody with a configuration."""

    def __init__(self, folder: Path, config: dict[str, object]) -> None:
        self.config = folder / "sesmail.yaml"
        self.config.write_text(yaml.safe_dump({"tls": {"self_signed": True}, **config}))
        self.config.chmod(0o600)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        # The options stand behind the action, except for `hash`, which needs none.
        config = [] if arguments[0] == "hash" else ["--config", str(self.config)]
        command = [sys.executable, "-m", "sesmail.cli.main", "passwd", *arguments, *config]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, error = process.communicate(typed, timeout=90)
        return process.returncode, out, error


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    (tmp_path / "mail").mkdir()
    mailboxes = {"domains": ["example.com", "example.org"], "default_domain": "example.com"}
    return Admin(tmp_path, {"storage": {"url": (tmp_path / "mail").as_uri()}, "mailboxes": mailboxes})


def test_a_user_is_set_verified_listed_and_removed(admin: Admin, tmp_path: Path) -> None:
    assert admin.run("set", "Tom", typed="s\u00e9cret \n") == (0, "tom: password set\n", "")
    assert admin.run("verify", "tom@example.com", typed="s\u00e9cret \n") == (0, "tom: right\n", "")
    assert admin.run("verify", "TOM", typed="s\u00e9cret\n") == (1, "tom: wrong password\n", "")
    assert admin.run("verify", "ann", typed="x\n") == (1, "ann: no such user\n", "")
    (record,) = parse((tmp_path / "mail" / FILE).read_bytes()).users.values()
    assert hashes.verify(record.hash, record.salt, "s\u00e9cret ".encode())
    assert admin.run("list") == (0, "tom\n", "")
    assert admin.run("remove", "tom") == (0, "tom: removed\n", "")
    assert admin.run("list") == (0, "", "")
    assert admin.run("remove", "tom") == (1, "", "sesmail passwd: no such user in the password file\n")


def test_each_domain_has_its_file(admin: Admin, tmp_path: Path) -> None:
    admin.run("set", "tom@example.org", typed="x\n")
    assert (tmp_path / "mail/mailboxes/example.org/passwd.txt").read_text().startswith("tom:{")
    assert admin.run("list", "example.org") == (0, "tom\n", "")
    assert admin.run("list") == (0, "", "")


def test_a_line_of_another_program_keeps_its_fields_and_old_hashes_are_told(admin: Admin, tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text(f"# ours\nTom@example.com:{hashes.legacy('Tom', b'x')}:1:2\nann:{{ROT13}}x\neve:!\n")
    told = "ann  (no password fits: unknown scheme)\neve  (locked)\ntom@example.com  (old hash)\n"
    assert admin.run("list", "--file", str(file)) == (0, told, "")
    assert admin.run("set", "tom", "--file", str(file), typed="new\n")[0] == 0
    comment, tom, *rest = file.read_text().splitlines()
    assert (comment, rest) == ("# ours", ["ann:{ROT13}x", "eve:!"])
    assert tom.startswith("Tom@example.com:{")
    assert tom.endswith(":1:2")
    assert admin.run("verify", "tom", "--file", str(file), typed="new\n")[0] == 0


def test_the_configured_file_for_everybody_is_used_where_domains_have_none(tmp_path: Path) -> None:
    auth = {"checkers": ["passwd-file"], "passwd_file": "etc/users"}
    (tmp_path / "mail").mkdir()
    admin = Admin(tmp_path, {"storage": {"url": (tmp_path / "mail").as_uri()}, "auth": auth})
    admin.run("set", "tom@example.com", typed="x\n")
    admin.run("set", "bare", typed="x\n")
    assert admin.run("list") == (0, "bare\ntom@example.com\n", "")
    assert (tmp_path / "mail/etc/users").exists()


@pytest.mark.parametrize("user", ["tom@other.example", "../x", "a:b", "a b", "", "@example.com", "#tom", "a\nb", ".x", "tom@"])
def test_a_name_that_could_never_log_in_is_refused(admin: Admin, tmp_path: Path, user: str) -> None:
    code, out, error = admin.run("set", user, typed="x\n")
    assert (code, out) == (1, "")
    assert error.startswith("sesmail passwd: ")
    assert "Traceback" not in error
    assert list((tmp_path / "mail").iterdir()) == []


@pytest.mark.parametrize("typed", ["", "\n"])
def test_no_password_is_none(admin: Admin, tmp_path: Path, typed: str) -> None:
    assert admin.run("set", "tom", typed=typed) == (1, "", "sesmail passwd: no password was given\n")
    assert list((tmp_path / "mail").iterdir()) == []


def test_a_password_is_not_taken_as_an_argument(admin: Admin) -> None:
    assert admin.run("set", "tom", "secret")[0] == 64


def test_a_hash_is_printed_without_a_configuration(admin: Admin) -> None:
    code, out, _ = admin.run("hash", typed="secret\n")
    assert code == 0
    assert hashes.verify(out.strip(), "", b"secret")


def test_a_terminal_is_asked_twice_and_shows_nothing(admin: Admin) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sesmail.cli.main", "passwd", "set", "tom", "--config", str(admin.config)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    seen = b""
    for prompt, typed in ((b"Password: ", b"s3cret\n"), (b"Password again: ", b"another\n")):
        while prompt not in seen:
            seen += os.read(ours, 1000)
        os.write(ours, typed)
    while b"not the same" not in seen:
        seen += os.read(ours, 1000)
    assert process.wait(30) == 1
    os.close(ours)
    assert b"s3cret" not in seen
    assert b"another" not in seen


def test_a_store_that_is_gone_exits_75(admin: Admin, tmp_path: Path) -> None:
    (tmp_path / "mail").rmdir()
    code, out, error = admin.run("list")
    assert (code, out) == (75, "")
    assert error.startswith("sesmail passwd: temporary failure")


@pytest.mark.parametrize("place", ["directory", "bucket"])
def test_admins_who_work_at_the_same_time_lose_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "mail").mkdir()
    storage: dict[str, object] = {"url": (tmp_path / "mail").as_uri()}
    if place == "bucket":
        server = seaweed.running()
        storage = {"url": f"s3://{server.make_bucket('admins')}", "endpoint": server.endpoint, "region": server.region}
        storage |= {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    admin = Admin(tmp_path, {"storage": storage, "mailboxes": {"default_domain": "example.com"}})
    admin.run("set", "first", typed="x\n")
    processes = [admin.start("set", f"user{number}") for number in range(4)]
    for process in processes:
        process.communicate("secret\n", timeout=90)
    assert [process.returncode for process in processes] == [0] * 4
    assert admin.run("list")[1].split() == ["first", "user0", "user1", "user2", "user3"]
