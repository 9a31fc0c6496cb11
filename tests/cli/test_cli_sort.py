"""`sesmail sort` over queues and over a bucket without any events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws import sesevents
from tests.servers import moto, seaweed
from tests.servers.sqs import KEYS, REGION, TestQueue, make_queue

USERS = [{"name": name, "password": "right horse"} for name in ("tom@example.com", "ann@example.com")]
MAIL = b"Subject: hello\r\n\r\nbody\r\n"


class House:
    """A bucket, its configuration, and the command run on them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.server = seaweed.running()
        self.bucket = self.server.make_bucket(f"sort-{os.getpid()}-{name}")
        self.config: dict[str, Any] = {
            "storage": {
                "url": f"s3://{self.bucket}",
                "endpoint": self.server.endpoint,
                "region": self.server.region,
                "access_key_id": self.server.access_key,
                "secret_access_key": self.server.secret_key,
            },
            "auth": {"checkers": ["static"], "users": USERS},
            "service": {"state_dir": str(folder)},
            "relay": {"courier": "outbox"},
            "tls": {"self_signed": True},
        }

    def with_queue(self, url: TestQueue, dead: TestQueue | None = None) -> None:
        self.config["queue"] = {
            "url": url.url,
            "endpoint": moto.running(),
            "region": REGION,
            "access_key_id": KEYS.access_key_id,
            "secret_access_key": KEYS.secret_access_key,
        } | ({"dead_letter_url": dead.url} if dead else {})

    def put(self, *names: str, prefix: str = "new/", data: bytes = MAIL) -> None:
        for name in names:
            self.server.client().put_object(Bucket=self.bucket, Key=prefix + name, Body=data)

    def everything(self) -> list[str]:
        said = self.server.client().list_objects_v2(Bucket=self.bucket)
        return [one["Key"] for one in said.get("Contents", ())]

    def mail_of(self, user: str) -> list[str]:
        local, _, domain = user.partition("@")
        return [key for key in self.everything() if domain in key and f"/{local}/" in key]

    def notice(self, name: str, *recipients: str) -> str:
        said = sesevents.notice(*recipients, action=sesevents.s3_action(f"new/{name}", self.bucket))
        said["mail"]["messageId"] = name
        return json.dumps(said)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        file = self.folder / "sesmail.yaml"
        file.write_text(yaml.safe_dump(self.config))
        command = [sys.executable, "-m", "sesmail.cli.main", "sort", *arguments, "--config", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> House:
    return House(tmp_path, str(time.monotonic_ns()))


def test_once_drains_the_queue_and_then_sweeps(house: House) -> None:
    made = make_queue()
    house.with_queue(made)
    house.put("told1", "told2")
    made.send(house.notice("told1", "tom@example.com"), house.notice("told2", "tom@example.com", "ann@example.com"))
    status, out, error = house.run("--once")
    assert (status, out) == (0, "queue: 2 done, 0 left, 0 of them malformed\nsweep: nothing found\n"), error
    assert made.empty
    assert len(house.mail_of("tom@example.com")) == 2
    assert len(house.mail_of("ann@example.com")) == 1
    assert [key for key in house.everything() if key.startswith("new/")] == []


def test_once_needs_no_queue(house: House) -> None:
    assert house.run("--once") == (0, "sweep: nothing found\n", "")


def test_a_sweep_sorts_a_bucket_without_any_events(house: House) -> None:
    house.config["incoming"] = {"notices": False, "mailboxes": [{"prefix": "ann/", "recipient": "ann@example.com"}]}
    house.put("one", "two", prefix="ann/")
    status, out, error = house.run("--sweep", "--age", "0")
    assert (status, out) == (0, "sweep: 2 done\n"), error
    assert len(house.mail_of("ann@example.com")) == 2
    assert [key for key in house.everything() if key.startswith("ann/")] == []


def test_a_sweep_leaves_what_is_young(house: House) -> None:
    house.put("young")
    assert house.run("--sweep")[:2] == (0, "sweep: nothing found\n")
    assert house.everything() == ["new/young"]


def test_what_is_left_shows_in_the_exit_status(house: House) -> None:
    made = make_queue()
    house.with_queue(made)
    made.send("no event at all")
    status, out, error = house.run("--once")
    assert (status, out.splitlines()[0]) == (75, "queue: 0 done, 1 left, 1 of them malformed"), error
    assert "Traceback" not in error
    assert made.counts() == (0, 1)


def test_dead_letters_are_tried_again(house: House) -> None:
    dead = make_queue()
    house.with_queue(make_queue(), dead)
    house.put("late")
    dead.send(house.notice("late", "tom@example.com"), "rubbish")
    status, out, error = house.run("--dlq")
    assert (status, out) == (75, "dead letters: 1 done, 1 left, 1 of them malformed\n"), error
    assert len(house.mail_of("tom@example.com")) == 1
    assert sum(dead.counts()) == 1


def test_a_message_whose_original_is_gone_is_done(house: House) -> None:
    made = make_queue()
    house.with_queue(made)
    made.send(house.notice("gone", "tom@example.com"))
    assert house.run("--once")[0] == 0
    assert made.empty


def test_without_a_queue_of_dead_letters_it_says_what_to_set(house: House) -> None:
    status, out, error = house.run("--dlq")
    assert (status, out) == (78, "")
    assert "queue.dead_letter_url" in error


def test_a_queue_that_cannot_be_asked_is_temporary(house: House) -> None:
    made = make_queue()
    house.with_queue(TestQueue(made.url + "-missing"))
    status, _, error = house.run("--once")
    assert status == 75
    assert "NonExistentQueue" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("arguments", [(), ("--once", "--dlq"), ("--sweep", "--age")])
def test_wrong_arguments_are_a_usage_error(house: House, arguments: tuple[str, ...]) -> None:
    assert house.run(*arguments)[0] == 64


def test_an_age_that_is_none_is_refused(house: House) -> None:
    status, _, error = house.run("--sweep", "--age", "soon")
    assert status == 1
    assert "--age" in error
