"""The client of a queue, against moto's SQS."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sesmail.aws.queues import Queue, QueuePlace, QueueTrouble, Received
from tests.servers.ports import free_port
from tests.servers.sqs import bodies, make_queue


def test_messages_come_with_their_body_and_count() -> None:
    made = make_queue()
    made.send("one")
    (first,) = made.queue().receive(visibility=0, wait=1)
    (again,) = made.queue().receive(visibility=30, wait=1)
    assert (first.body, first.count) == ("one", 1)
    assert (again.id, again.body, again.count) == (first.id, "one", 2)


def test_ten_come_in_one_request_and_go_in_one() -> None:
    made = make_queue()
    made.send(*bodies(12))
    queue = made.queue()
    found = queue.receive(visibility=30, wait=1)
    assert len(found) == 10
    assert queue.delete(found) == {}
    assert made.counts() == (2, 0)


def test_nothing_is_received_from_an_empty_queue() -> None:
    assert make_queue().queue().receive(visibility=30, wait=1) == []


def test_a_message_that_is_given_back_can_be_had_at_once() -> None:
    made = make_queue()
    made.send("one")
    queue = made.queue()
    (found,) = queue.receive(visibility=600, wait=1)
    assert queue.keep({found: 0}) == {}
    assert [one.body for one in queue.receive(visibility=600, wait=1)] == ["one"]


def test_each_message_that_is_not_deleted_is_named_with_the_reason() -> None:
    made = make_queue()
    made.send("one")
    queue = made.queue()
    (found,) = queue.receive(visibility=30, wait=1)
    bogus = Received("id", "body", "no such receipt")
    assert queue.delete([bogus, found]) == {"no such receipt": "ReceiptHandleIsInvalid"}
    assert made.empty


def test_each_message_that_is_not_kept_is_named() -> None:
    made = make_queue()
    made.send("one")
    queue = made.queue()
    (found,) = queue.receive(visibility=1, wait=1)
    queue.delete([found])
    assert list(queue.keep({found: 30})) == [found.receipt]


def test_a_queue_that_is_missing_has_a_name_for_it() -> None:
    made = make_queue()
    queue = Queue(replace(made.place(), url=made.url + "-not"))
    with pytest.raises(QueueTrouble) as raised:
        queue.receive(visibility=30, wait=0)
    assert raised.value.word == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_queue_that_cannot_be_reached_is_unavailable() -> None:
    queue = make_queue().queue(f"http://127.0.0.1:{free_port()}", connect_timeout=1)
    with pytest.raises(QueueTrouble) as raised:
        queue.receive(visibility=30, wait=0)
    assert raised.value.word == "EndpointConnectionError"


def test_credentials_that_cannot_be_had_are_trouble_and_not_a_crash() -> None:
    made = make_queue()
    queue = Queue(replace(made.place(), keys=None, profile="not-there"))
    with pytest.raises(QueueTrouble):
        queue.receive(visibility=30, wait=0)


def test_the_region_is_the_one_that_the_url_names() -> None:
    queue = Queue(QueuePlace(url="https://sqs.eu-north-1.amazonaws.com/123456789012/mail"))
    assert queue._client().meta.region_name == "eu-north-1"


def test_a_receipt_and_a_body_are_not_shown() -> None:
    assert "secret" not in repr(Received("id", "secret body", "secret receipt"))


def test_a_poll_may_last_longer_than_any_other_request() -> None:
    assert make_queue().queue(read_timeout=1).receive(visibility=30, wait=3) == []
