"""One id from the moment a message is accepted until it is read: what the log tells of each journey."""

from __future__ import annotations

import json
import smtplib
import threading
from pathlib import Path
from typing import Any

from sesmail.log import fate as tell
from sesmail.log import line, under, write_fates
from tests.service.house import ANN, TOM, House, opened
from tests.service.test_service_collecting import Post
from tests.service.test_service_collecting import opened as collecting


def fates(house: House, subject: str) -> list[dict[str, Any]]:
    house.wait_for_mail(ANN, subject.encode())
    lines = [json.loads(line) for line in house.gateway.log().splitlines()]
    return [one for one in lines if "fate" in one and not one["fate"].startswith("login")]


def test_a_message_from_here_has_the_id_of_the_spool_until_it_is_in_the_mailbox_and_that_of_its_object_from_then_on(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, log={"format": "json"}) as house:
        with house.smtp() as smtp:
            smtp.sendmail(TOM, [ANN], b"Subject: from here\r\n\r\nx\r\n")
        told = {one["fate"]: one for one in fates(house, "from here")}
        assert told["accepted"]["id"] == told["sent"]["id"] == told["sorted"]["queue_id"]
        assert told["sent"]["next_id"] == told["sorted"]["id"] == told["retrieved"]["uidl"]


def test_what_another_server_hands_over_has_one_id_and_that_of_its_queue(tmp_path: Path) -> None:
    endpoint = f"unix:{tmp_path}/lmtp"
    with opened(tmp_path, log={"format": "json"}, lmtp={"listeners": [{"endpoint": endpoint, "tls": "none"}]}) as house:
        with smtplib.LMTP(f"{tmp_path}/lmtp") as lmtp:
            trace = b"Received: from a by b (Postfix) with LMTP id 4Xyz12AB3; Sun, 22 Nov 2026 01:00:00 +0000\r\n"
            lmtp.sendmail("a@remote.example", [ANN], trace + b"Subject: handed over\r\n\r\nx\r\n")
        told = {one["fate"]: one for one in fates(house, "handed over")}
        assert told["received"]["id"] == told["sorted"]["id"] == told["retrieved"]["uidl"]


def test_what_ses_took_has_the_id_of_ses_until_it_is_read(tmp_path: Path) -> None:
    post = Post()
    with collecting(tmp_path, post, log={"format": "json"}) as house:
        post.queue.send(json.dumps(post.notice(post.write("fromses"), ANN)))
        told = {one["fate"]: one for one in fates(house, "fromses")}
        assert told["sorted"]["id"] == told["retrieved"]["uidl"] == "fromses"


def test_the_id_of_a_queue_is_told_in_its_own_thread_alone_and_never_twice() -> None:
    said: list[str] = []
    write_fates(lambda word, fields: said.append(line(word, **fields)))
    with under("q1"):
        tell("sorted", id="m1")
        tell("sent", id="q1")
        other = threading.Thread(target=tell, args=("held",), kwargs={"id": "m2"})
        other.start()
        other.join()
    tell("deleted", id="m3")
    assert said == ["sorted id=m1 queue_id=q1", "sent id=q1", "held id=m2", "deleted id=m3"]
