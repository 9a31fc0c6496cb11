"""Each request to a queue fails in turn, in each way: no message is lost, and none is deleted that is not done."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from sesmail.delivery.consumer import Consumer
from sesmail.errors import Unavailable
from tests.servers import faultproxy, moto
from tests.servers.faultproxy import FaultProxy, Rule
from tests.servers.ports import wait_until
from tests.servers.sqs import bodies, make_queue

# What is in the body of each request, whichever protocol of AWS this boto3 speaks.
REQUESTS = {
    "receive": "WaitTimeSeconds",
    "delete": "(?s)^(?!.*VisibilityTimeout).*ReceiptHandle",
    "keep": "(?s)(?=.*VisibilityTimeout).*ReceiptHandle",
}


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    with faultproxy.before(moto.running()) as made:
        yield made


@pytest.mark.parametrize("fault", ["500", "503", "403", "404", "refuse", "reset", "short"])
@pytest.mark.parametrize("request_", REQUESTS)
def test_no_message_is_lost(proxy: FaultProxy, request_: str, fault: str) -> None:
    made, done, tried = make_queue(), set[str](), list[str]()
    made.send(*bodies(12))

    def take(body: str, *, again: bool) -> None:
        tried.append(body)
        if tried.count(body) == 1 and body in ("message 3", "message 5"):
            raise Unavailable
        # Long enough that every message must be kept once.
        time.sleep(1.5)
        done.add(body)

    octets = 40 if fault == "short" else -1
    proxy.fail(Rule(REQUESTS[request_], fault, octets=octets, times=2))
    consumer = Consumer(made.queue(proxy.endpoint), take, workers=6, wait=1, visibility=3, again=lambda count: 1)
    consumer.start()
    try:
        wait_until(lambda: made.empty and len(done) == 12, seconds=60, what=lambda: f"{done} {made.counts()}")
    finally:
        consumer.stop(10)
        (applied,) = proxy.fail()
    assert applied
    assert done == set(bodies(12))


def test_each_fault_was_really_met(proxy: FaultProxy) -> None:
    made = make_queue()
    made.send("one")
    proxy.fail(*(Rule(pattern, "500", times=1) for pattern in REQUESTS.values()))
    consumer = Consumer(made.queue(proxy.endpoint), lambda body, *, again: time.sleep(2), wait=1, visibility=2)
    consumer.start()
    try:
        wait_until(lambda: made.empty, seconds=30, what=lambda: str(made.counts()))
    finally:
        consumer.stop(10)
    assert proxy.fail() == [1, 1, 1]


def test_trouble_with_every_request_is_logged_once_each(proxy: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
    made = make_queue()
    caplog.set_level(logging.INFO)
    proxy.fail(Rule("", "500"))
    consumer = Consumer(made.queue(proxy.endpoint), lambda body, *, again: None, wait=1)
    consumer.start()
    try:
        wait_until(lambda: proxy.fail(Rule("", "500"))[0] >= 1, seconds=10, what=lambda: caplog.text)
        wait_until(lambda: proxy.fail(Rule("", "500"))[0] >= 1, seconds=10, what=lambda: caplog.text)
        assert caplog.text.count("cannot be received") == 1
        proxy.fail()
        made.send("one")
        wait_until(lambda: made.empty, seconds=30, what=lambda: caplog.text)
        assert "it works again" in caplog.text
    finally:
        consumer.stop(10)
