"""A gateway with a queue, as a process: what the queue tells of is in the mailbox, and nothing is lost on the way."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.aws import sesevents
from tests.servers import faultproxy, moto, seaweed
from tests.servers.certificates import Authority
from tests.servers.faultproxy import Rule
from tests.servers.gateway import running
from tests.servers.ports import wait_until
from tests.servers.sqs import KEYS, REGION, TestQueue, client, make_queue
from tests.service import house as houses
from tests.service.house import ANN, TOM, House

ROOT = Path(__file__).parents[2]

_numbers = itertools.count()


class Post:
    """What SES does: it writes a message into the bucket and tells of it."""

    def __init__(self) -> None:
        self.server = seaweed.running()
        self.bucket = self.server.make_bucket(f"collecting-{os.getpid()}-{next(_numbers)}")
        self.dead = make_queue()
        self.queue = make_queue(dead=self.dead, tries=5)

    def sections(self, **more: Any) -> dict[str, Any]:
        queue: dict[str, Any] = {
            "url": self.queue.url,
            "dead_letter_url": self.dead.url,
            "endpoint": moto.running(),
            "region": REGION,
        }
        queue |= {"access_key_id": KEYS.access_key_id, "secret_access_key": KEYS.secret_access_key, "visibility": 10}
        storage = {"url": f"s3://{self.bucket}", "endpoint": self.server.endpoint, "region": self.server.region}
        storage |= {"access_key_id": self.server.access_key, "secret_access_key": self.server.secret_key}
        found: dict[str, Any] = {"queue": queue, "storage": storage, "service": {"drain": 10}}
        for name, options in more.items():
            found[name] = {**found.get(name, {}), **options}
        return found

    def write(self, id: str, prefix: str = "new/") -> str:
        self.server.client().put_object(Bucket=self.bucket, Key=prefix + id, Body=f"Subject: {id}\r\n\r\nbody\r\n".encode())
        return id

    def notice(self, id: str, *recipients: str) -> dict[str, Any]:
        said = sesevents.notice(*recipients, action=sesevents.s3_action(f"new/{id}", self.bucket))
        said["mail"]["messageId"] = id
        return said

    def keys(self, prefix: str = "new/") -> list[str]:
        return [
            one["Key"] for one in self.server.client().list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", ())
        ]

    def topic(self) -> str:
        """A topic of SNS that the queue is subscribed to."""
        sns = client("sns")
        arn: str = sns.create_topic(Name=f"mail-{os.getpid()}-{next(_numbers)}")["TopicArn"]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=self.queue.arn)
        return arn


@contextmanager
def opened(folder: Path, post: Post, **more: Any) -> Iterator[House]:
    authority = Authority(folder)
    with running(houses.config(folder, authority, **post.sections(**more))) as gateway:
        yield House(gateway, folder, authority.certificate)


@pytest.fixture
def post() -> Post:
    return Post()


def wait_for(house: House, user: str, *ids: str) -> None:
    """Until exactly these lie in the mailbox."""

    def there() -> bool:
        return sorted(message.split(b"\r\n")[0] for message in house.mailbox(user)) == sorted(
            f"Subject: {id}".encode() for id in ids
        )

    wait_until(there, seconds=40, what=lambda: f"{house.mailbox(user)}\n{house.gateway.log()}")


def wait_until_empty(house: House, queue: TestQueue) -> None:
    wait_until(lambda: queue.empty, seconds=40, what=lambda: f"{queue.counts()}\n{house.gateway.log()}")


def test_all_three_shapes_of_events_lead_into_the_mailbox(tmp_path: Path, post: Post) -> None:
    incoming = {"mailboxes": [{"prefix": "for-tom/", "recipient": TOM}]}
    with opened(tmp_path, post, incoming=incoming) as house:
        client("sns").publish(TopicArn=post.topic(), Message=json.dumps(post.notice(post.write("throughsns"), TOM)))
        post.queue.send(json.dumps(post.notice(post.write("rawnotice"), TOM, ANN)))
        event = sesevents.s3_event("for-tom/" + post.write("bys3event", "for-tom/"), bucket=post.bucket)
        post.queue.send(json.dumps(event), json.dumps(sesevents.s3_test_event()), json.dumps(sesevents.setup_notice()))
        wait_for(house, TOM, "throughsns", "rawnotice", "bys3event")
        wait_for(house, ANN, "rawnotice")
        wait_until_empty(house, post.queue)
        assert post.keys() == post.keys("for-tom/") == []


def test_duplicate_and_late_notices_make_no_second_copy(tmp_path: Path, post: Post) -> None:
    with opened(tmp_path, post) as house:
        told = {id: json.dumps(post.notice(post.write(id), TOM, ANN)) for id in ("one", "two", "three")}
        post.queue.send(*(told[id] for id in ("three", "one", "one", "two", "three", "one")))
        wait_until_empty(house, post.queue)
        post.queue.send(told["two"], told["one"])
        wait_until_empty(house, post.queue)
        wait_for(house, TOM, "one", "two", "three")
        wait_for(house, ANN, "one", "two", "three")
        assert post.keys() == []


def test_what_fails_comes_again_until_it_works(tmp_path: Path, post: Post) -> None:
    with faultproxy.before(post.server.endpoint) as proxy:
        proxy.fail(Rule("^(HEAD|GET|PUT) .*new/failing", "503"))
        with opened(tmp_path, post, storage={"endpoint": proxy.endpoint, "attempts": 1}) as house:
            post.queue.send(json.dumps(post.notice(post.write("failing"), TOM)))
            house.gateway.wait_for_log("failed the 1. time, next try in 15 s", seconds=30)
            proxy.fail()
            wait_for(house, TOM, "failing")
            wait_until_empty(house, post.queue)


def test_dead_letters_are_taken_at_the_start(tmp_path: Path, post: Post) -> None:
    post.dead.send(json.dumps(post.notice(post.write("deadletter"), TOM)), "rubbish")
    with opened(tmp_path, post) as house:
        wait_for(house, TOM, "deadletter")
        house.gateway.wait_for_log("dead letters: 1 done, 1 left, 1 of them malformed", seconds=30)
        assert sum(post.dead.counts()) == 1


def test_what_cannot_be_read_is_left_to_the_redrive_policy(tmp_path: Path, post: Post) -> None:
    with opened(tmp_path, post) as house:
        post.queue.send("no event", json.dumps(post.notice(post.write("good"), TOM)))
        wait_for(house, TOM, "good")
        house.gateway.wait_for_log("failed the 1. time", seconds=30)
        assert "no event" not in house.gateway.log().replace("not an event", "")
        assert post.queue.counts() == (0, 1)


def test_a_stop_in_the_middle_loses_nothing(tmp_path: Path, post: Post) -> None:
    ids = [f"message{number:02}" for number in range(40)]
    bodies = [json.dumps(post.notice(post.write(id), TOM)) for id in ids]
    with opened(tmp_path, post) as house:
        post.queue.send(*bodies)
        wait_until(lambda: len(post.keys()) < 40, seconds=30, what=house.gateway.log)
        house.gateway.signal(signal.SIGTERM)
        assert house.gateway.wait_until_it_ends() == -signal.SIGTERM
        log = house.gateway.log()
    assert "Traceback" not in log
    left = len(post.keys())
    # What is not done is still told of; a poll that nobody waited for may have brought some of it, which comes again.
    assert sum(post.queue.counts()) == left
    with opened(tmp_path, post) as house:
        wait_for(house, TOM, *ids)
        wait_until_empty(house, post.queue)
        assert post.keys() == []


def test_the_command_sorts_beside_a_gateway(tmp_path: Path, post: Post) -> None:
    ids = [f"message{number:02}" for number in range(30)]
    with opened(tmp_path, post) as house:
        post.queue.send(*(json.dumps(post.notice(post.write(id), TOM, ANN)) for id in ids))
        command = [sys.executable, "-m", "sesmail.cli.main", "sort", "--once"]
        done = subprocess.run(
            [*command, "--config", str(house.gateway.config_file)],
            cwd=house.gateway.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        assert done.stdout.startswith("queue: ")
        wait_for(house, TOM, *ids)
        wait_for(house, ANN, *ids)
        wait_until_empty(house, post.queue)
        assert post.keys() == []


def test_the_sweep_finds_what_no_event_told_of(tmp_path: Path, post: Post) -> None:
    incoming = {"mailboxes": [{"prefix": "for-tom/", "recipient": TOM}], "notices": False, "sweep_after": 0, "sweep_every": 1}
    post.write("untold", "for-tom/")
    with opened(tmp_path, post, incoming=incoming) as house:
        wait_for(house, TOM, "untold")
        wait_until(lambda: post.keys("for-tom/") == [], seconds=20, what=house.gateway.log)


def test_a_queue_that_is_missing_keeps_nobody_from_reading_mail(tmp_path: Path, post: Post) -> None:
    with opened(tmp_path, post, queue={"url": post.queue.url + "-missing"}) as house:
        house.gateway.wait_for_log("messages cannot be received from the queue", seconds=30)
        assert house.mailbox(TOM) == []
        assert house.gateway.stop() == -signal.SIGTERM


def test_the_sweep_waits_for_the_queue_but_not_for_ever(tmp_path: Path, post: Post) -> None:
    incoming = {"mailboxes": [{"prefix": "for-tom/", "recipient": TOM}], "sweep_after": 0, "sweep_every": 1}
    post.write("untold", "for-tom/")
    with opened(tmp_path, post, incoming=incoming, queue={"url": post.queue.url + "-missing"}) as house:
        wait_for(house, TOM, "untold")
        before = house.gateway.log().partition("sweep: 1 done")[0]
        assert before.count("the sweep is left out") == 4
